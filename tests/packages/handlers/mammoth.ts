import mammoth from "npm:mammoth@1.11.0";
import { Document, Packer, Paragraph } from "npm:docx@9.15.2";

export default async function (c) {
  const buffer = await Packer.toBuffer(new Document({ sections: [{ children: [new Paragraph("Hello, Ada")] }] }));
  const { value } = await mammoth.convertToHtml({ buffer });
  return c.html(value);
}
