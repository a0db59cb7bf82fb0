import soap from "npm:soap@1.13.0";

export default async function (c, ctx) {
  const client = await soap.createClientAsync(`${await ctx.getSecret("API_URL")}/soap?wsdl`);
  const [result] = await client.AddAsync({ a: 2, b: 3 });
  return c.json(result);
}
