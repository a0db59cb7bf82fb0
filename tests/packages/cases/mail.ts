import type { PackageCase } from "../package_case.ts";

export const MAIL: readonly PackageCase[] = [
  {
    package: "nodemailer",
    does: "sends a message with an attachment",
    services: ["smtp"],
    short: true,
    answer: { accepted: ["ada@example.com"], code: "250" },
    received: /Subject: =\?UTF-8[^]*invoice\.txt/,
  },
  {
    package: "mailparser",
    does: "parses a message",
    answer: { subject: "Café", from: "ada@example.com", text: "One café, please." },
  },
  {
    package: "mjml",
    does: "renders a mail",
    answer: /Hello, Ada[^]*href="https:\/\/example\.com"/,
    note: 'pass `filePath: ""`, as there is no folder to include from',
  },
  {
    package: "resend",
    does: "sends a message",
    services: ["api"],
    sealed: true,
    answer: { data: { id: "mail-to-ada@example.com" }, error: null },
  },
  { package: "@sendgrid/mail", does: "sends a message", services: ["api"], sealed: true, answer: { status: 202 } },
  {
    package: "mailgun.js",
    does: "sends a message",
    services: ["api"],
    sealed: true,
    answer: { id: "<7@example.com>" },
  },
  { package: "postmark", does: "sends a message", services: ["api"], sealed: true, answer: { id: "m7" } },
  {
    package: "juice",
    does: "moves styles into elements",
    answer: '<p style="color: red;">Hello</p>',
  },
];
