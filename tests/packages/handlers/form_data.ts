import FormData from "npm:form-data@4.0.6";

export default async function (c, ctx) {
  const form = new FormData();
  form.append("name", "Ada");
  form.append("file", new TextEncoder().encode("contents") && "contents", { filename: "a.txt" });
  const response = await fetch(`${await ctx.getSecret("API_URL")}/form`, {
    method: "POST",
    headers: form.getHeaders(),
    body: form.getBuffer(),
  });
  return c.json(await response.json());
}
