import { EventSource } from "npm:eventsource@5.1.5";

export default async function (c, ctx) {
  const source = new EventSource(`${await ctx.getSecret("API_URL")}/events`);
  const messages = [];
  await new Promise((resolve, reject) => {
    source.addEventListener("message", ({ data }) => messages.push(data) === 2 && resolve());
    source.addEventListener("error", reject);
  });
  source.close();
  return c.json(messages);
}
