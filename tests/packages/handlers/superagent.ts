import superagent from "npm:superagent@10.4.2";

export default async function (c, ctx) {
  const { body } = await superagent.post(`${await ctx.getSecret("API_URL")}/echo`).query({ page: 2 }).send({
    name: "Ada",
  });
  return c.json({ body: body.json, query: body.query });
}
