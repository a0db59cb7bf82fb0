import { connect, StringCodec } from "npm:nats@2.29.3";

export default async function (c, ctx) {
  const connection = await connect({ servers: await ctx.getSecret("NATS_URL") });
  const codec = StringCodec();
  const subscription = connection.subscribe("greet.*", {
    callback: (_error, message) => message.respond(codec.encode(`hello, ${message.subject.split(".")[1]}`)),
  });
  const reply = await connection.request("greet.ada", "", { timeout: 2_000 });
  subscription.unsubscribe();
  const text = codec.decode(reply.data);
  await connection.close();
  return c.text(text);
}
