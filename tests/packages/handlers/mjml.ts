import mjml2html from "npm:mjml@5.4.1";

export default async function (c) {
  // A function has no folder that parts of a mail could be included from.
  const { html, errors } = await mjml2html(
    `
    <mjml><mj-body><mj-section><mj-column>
      <mj-text font-size="20px">Hello, Ada</mj-text>
      <mj-button href="https://example.com">Confirm</mj-button>
    </mj-column></mj-section></mj-body></mjml>`,
    { filePath: "" },
  );
  if (errors.length > 0) return c.json(errors, 422);
  return c.html(html);
}
