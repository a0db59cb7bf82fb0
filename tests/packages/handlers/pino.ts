import pino from "npm:pino@10.4.0";

const logger = pino({ redact: ["password"] });

export default function (c) {
  logger.info({ user: "ada", password: "secret" }, "signed in");
  return c.json({ level: logger.level });
}
