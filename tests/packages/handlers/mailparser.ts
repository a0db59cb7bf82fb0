import { simpleParser } from "npm:mailparser@3.14.2";

const MAIL = [
  "From: Ada <ada@example.com>",
  "To: shop@example.com",
  "Subject: =?UTF-8?Q?Caf=C3=A9?=",
  "Content-Type: text/plain; charset=utf-8",
  "Content-Transfer-Encoding: quoted-printable",
  "",
  "One caf=C3=A9, please.",
].join("\r\n");

export default async function (c) {
  const { subject, from, text } = await simpleParser(await c.req.text() || MAIL);
  return c.json({ subject, from: from.value[0].address, text: text.trim() });
}
