import { REST } from "npm:@discordjs/rest@2.6.3";

export default async function (c, ctx) {
  const rest = new REST({ api: `${await ctx.getSecret("API_URL")}/discord` }).setToken(
    await ctx.getSecret("API_TOKEN"),
  );
  const { id } = await rest.post("/channels/7/messages", { body: { content: "Hello" } });
  return c.json({ id });
}
