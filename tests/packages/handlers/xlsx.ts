import { read, utils, write } from "npm:xlsx@0.18.5";

export default function (c) {
  const book = utils.book_new();
  utils.book_append_sheet(book, utils.json_to_sheet([{ item: "lamp", price: 19.9 }]), "Orders");
  const bytes = write(book, { type: "array", bookType: "xlsx" });
  return c.json(utils.sheet_to_json(read(bytes).Sheets.Orders));
}
