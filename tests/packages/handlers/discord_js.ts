import { EmbedBuilder, SlashCommandBuilder } from "npm:discord.js@14.28.1";

export default function (c) {
  const command = new SlashCommandBuilder().setName("ping").setDescription("Answers pong");
  const embed = new EmbedBuilder().setTitle("Pong").setColor(0x00ff00);
  return c.json({ name: command.toJSON().name, color: embed.toJSON().color });
}
