import mqtt from "npm:mqtt@5.16.0";

export default async function (c, ctx) {
  const client = await mqtt.connectAsync(await ctx.getSecret("MQTT_URL"));
  const topic = `sensors/${ctx.requestId}`;
  await client.subscribeAsync(topic, { qos: 1 });
  const received = new Promise((resolve) => client.once("message", (_topic, payload) => resolve(payload.toString())));
  await client.publishAsync(topic, JSON.stringify({ celsius: 21.5 }), { qos: 1 });
  const message = JSON.parse(await received);
  await client.endAsync();
  return c.json(message);
}
