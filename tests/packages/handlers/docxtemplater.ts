import Docxtemplater from "npm:docxtemplater@3.71.0";
import PizZip from "npm:pizzip@3.2.0";
import { Document, Packer, Paragraph } from "npm:docx@9.15.2";

export default async function (c) {
  const template = new Document({ sections: [{ children: [new Paragraph("Dear {name}, you owe {amount}.")] }] });
  const document = new Docxtemplater(new PizZip(await Packer.toArrayBuffer(template)));
  document.render({ name: "Ada", amount: "12.50 EUR" });
  return c.text(document.getFullText());
}
