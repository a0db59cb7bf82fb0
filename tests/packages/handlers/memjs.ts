import memjs from "npm:memjs@1.3.2";

let client;

export default async function (c, ctx) {
  client ??= memjs.Client.create(await ctx.getSecret("MEMCACHED_SERVERS"));
  await client.set("greeting", "hello from the cache", { expires: 60 });
  const { value } = await client.get("greeting");
  return c.text(value.toString());
}
