import { Bot } from "npm:grammy@1.46.0";

export default async function (c, ctx) {
  const bot = new Bot(await ctx.getSecret("API_TOKEN"), {
    client: { apiRoot: `${await ctx.getSecret("API_URL")}/telegram` },
    botInfo: { id: 1, is_bot: true, username: "bot", first_name: "Bot" },
  });
  const { message_id } = await bot.api.sendMessage(7, "Welcome!");
  return c.json({ id: message_id });
}
