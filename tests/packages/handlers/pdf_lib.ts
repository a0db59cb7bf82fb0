import { PDFDocument, StandardFonts } from "npm:pdf-lib@1.17.1";

export default async function (c) {
  const pdf = await PDFDocument.create();
  const font = await pdf.embedFont(StandardFonts.Helvetica);
  pdf.addPage([300, 200]).drawText("Invoice 7", { x: 40, y: 120, size: 24, font });
  return c.body(await pdf.save(), 200, { "Content-Type": "application/pdf" });
}
