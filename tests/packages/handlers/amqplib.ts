import { Buffer } from "node:buffer";
import amqp from "npm:amqplib@2.3.1";

export default async function (c, ctx) {
  const connection = await amqp.connect(await ctx.getSecret("AMQP_URL"));
  const channel = await connection.createChannel();
  const { queue } = await channel.assertQueue("", { exclusive: true });
  channel.sendToQueue(queue, Buffer.from("a message"), { contentType: "text/plain" });
  const message = await new Promise((resolve) => channel.consume(queue, resolve));
  channel.ack(message);
  const text = new TextDecoder().decode(message.content);
  await connection.close();
  return c.text(text);
}
