import { google } from "npm:googleapis@188.0.0";

export default async function (c, ctx) {
  const sheets = google.sheets({
    version: "v4",
    auth: await ctx.getSecret("API_TOKEN"),
    rootUrl: `${await ctx.getSecret("API_URL")}/`,
  });
  const { data } = await sheets.spreadsheets.values.get({ spreadsheetId: "sheet", range: "A1:B2" });
  return c.json(data.values);
}
