import type { PackageCase } from "../package_case.ts";

export const MESSAGING: readonly PackageCase[] = [
  {
    package: "mqtt",
    does: "publishes and receives a message with QoS 1",
    services: ["mosquitto"],
    short: true,
    answer: { celsius: 21.5 },
  },
  { package: "amqplib", does: "sends to a queue and consumes", services: ["rabbitmq"], answer: "a message" },
  { package: "nats", does: "answers a request", services: ["nats"], answer: "hello, ada" },
  {
    package: "kafkajs",
    does: "connects",
    net: ["127.0.0.1:9"],
    answer: { error: "KafkaJSNumberOfRetriesExceeded", refused: true },
    note: "not tested against a server: only that a failed connection is reported",
  },
  {
    package: "socket.io-client",
    does: "emits an event and gets its acknowledgement",
    services: ["socketIo"],
    answer: { sum: 5, transport: true },
  },
  {
    package: "@slack/web-api",
    does: "posts a message",
    services: ["api"],
    sealed: true,
    answer: { ok: true, ts: "1767225600.000100" },
  },
  { package: "@slack/webhook", does: "posts a message", services: ["api"], answer: { text: "ok" } },
  {
    package: "twilio",
    does: "sends an SMS and checks a webhook's signature",
    services: ["api"],
    sealed: true,
    answer: { sid: "SM7", signed: false },
  },
  {
    package: "discord.js",
    does: "builds a command and an embed",
    answer: { name: "ping", color: 65280 },
    note: "builders and REST; a bot that stays connected to the gateway is not a function",
  },
  { package: "@discordjs/rest", does: "posts a message", services: ["api"], sealed: true, answer: { id: "700" } },
  { package: "telegraf", does: "answers a command, as in a webhook", services: ["api"], answer: { reply: 42 } },
  { package: "grammy", does: "sends a message", services: ["api"], answer: { id: 42 } },
  {
    package: "pusher",
    does: "triggers an event and signs a channel",
    services: ["api"],
    answer: { status: 200, auth: "key" },
  },
  { package: "@line/bot-sdk", does: "checks a webhook's signature", services: ["api"], answer: [true, false] },
  {
    package: "web-push",
    does: "signs and encrypts a notification",
    answer: { scheme: "vapid", encoding: "aes128gcm" },
  },
];
