import PDFDocument from "npm:pdfkit@0.20.2";

export default async function (c) {
  const pdf = new PDFDocument({ size: "A6" });
  pdf.fontSize(20).text("Invoice 7");
  pdf.end();
  const chunks = [];
  for await (const chunk of pdf) chunks.push(chunk);
  return c.body(await new Blob(chunks).arrayBuffer(), 200, { "Content-Type": "application/pdf" });
}
