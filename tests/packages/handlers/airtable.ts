import Airtable from "npm:airtable@0.12.2";

export default async function (c, ctx) {
  const airtable = new Airtable({
    apiKey: await ctx.getSecret("API_TOKEN"),
    endpointUrl: `${await ctx.getSecret("API_URL")}/airtable`,
  });
  const records = await airtable.base("app7")("Books").select({ maxRecords: 2 }).firstPage();
  return c.json(records.map((record) => record.get("Title")));
}
