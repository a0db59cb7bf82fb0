import winston from "npm:winston@3.19.0";

const logger = winston.createLogger({ format: winston.format.json(), transports: [new winston.transports.Console()] });

export default function (c) {
  logger.info("order created", { id: 7 });
  return c.json({ level: logger.level });
}
