import { Kafka, logLevel } from "npm:kafkajs@2.2.4";

const kafka = new Kafka({ brokers: ["127.0.0.1:9"], logLevel: logLevel.NOTHING, retry: { retries: 0 } });

export default async function (c) {
  const producer = kafka.producer();
  try {
    await producer.connect();
    await producer.send({ topic: "orders", messages: [{ value: "1" }] });
    return c.json({ sent: true });
  } catch (error) {
    return c.json({ error: error.name, refused: error.message.includes("ECONNREFUSED") });
  }
}
