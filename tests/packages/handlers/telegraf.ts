import { Telegraf } from "npm:telegraf@4.16.3";

export default async function (c, ctx) {
  const bot = new Telegraf(await ctx.getSecret("API_TOKEN"), {
    telegram: { apiRoot: `${await ctx.getSecret("API_URL")}/telegram/` },
  });
  bot.botInfo = { id: 1, is_bot: true, username: "bot", first_name: "Bot" };
  let reply;
  bot.command("start", async (context) => {
    reply = await context.reply("Welcome!");
  });
  // As in a webhook: the update is the body of the request.
  await bot.handleUpdate({
    update_id: 1,
    message: {
      message_id: 1,
      date: 0,
      chat: { id: 7, type: "private", first_name: "Ada" },
      from: { id: 7, is_bot: false, first_name: "Ada" },
      text: "/start",
      entities: [{ type: "bot_command", offset: 0, length: 6 }],
    },
  });
  return c.json({ reply: reply.message_id });
}
