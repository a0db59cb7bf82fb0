import { PDFParse } from "npm:pdf-parse@2.4.5";
import { PDFDocument } from "npm:pdf-lib@1.17.1";

export default async function (c) {
  const pdf = await PDFDocument.create();
  pdf.addPage().drawText("Total: 12.50 EUR", { x: 50, y: 500 });
  const parser = new PDFParse({ data: await pdf.save() });
  const { text } = await parser.getText();
  await parser.destroy();
  return c.json({ total: /Total: ([\d.]+)/.exec(text)[1] });
}
