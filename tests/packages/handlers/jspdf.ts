import { jsPDF } from "npm:jspdf@4.2.1";

export default function (c) {
  const pdf = new jsPDF();
  pdf.text("Invoice 7", 10, 10);
  return c.body(pdf.output("arraybuffer"), 200, { "Content-Type": "application/pdf" });
}
