import { Document, Packer, Paragraph, TextRun } from "npm:docx@9.15.2";

export default async function (c) {
  const document = new Document({
    sections: [{ children: [new Paragraph({ children: [new TextRun({ text: "Hello", bold: true })] })] }],
  });
  const bytes = new Uint8Array(await Packer.toArrayBuffer(document));
  return c.json({ zip: String.fromCharCode(...bytes.subarray(0, 2)) });
}
