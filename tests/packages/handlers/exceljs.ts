import ExcelJS from "npm:exceljs@4.4.0";

export default async function (c) {
  const book = new ExcelJS.Workbook();
  const sheet = book.addWorksheet("Orders");
  sheet.columns = [{ header: "Item", key: "item", width: 20 }, { header: "Price", key: "price" }];
  sheet.addRows([{ item: "lamp", price: 19.9 }, { item: "desk", price: 240 }]);
  const bytes = await book.xlsx.writeBuffer();
  const read = new ExcelJS.Workbook();
  await read.xlsx.load(bytes);
  return c.json(read.getWorksheet("Orders").getColumn(2).values.filter(Boolean));
}
