import { codeToHtml } from "npm:shiki@4.6.0";

export default async (c) =>
  c.html(await codeToHtml("const x = 1;", { lang: "javascript", theme: "github-light", tokenizeTimeLimit: 0 }));
