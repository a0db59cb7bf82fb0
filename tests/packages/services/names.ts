/** The services that handlers of the package tests reach, and what each is called in the table of packages. */
export const SERVICE_TITLES = {
  postgres: "PostgreSQL",
  mariadb: "MariaDB",
  redis: "Redis",
  memcached: "memcached",
  mosquitto: "Mosquitto",
  rabbitmq: "RabbitMQ",
  nats: "NATS",
  smtp: "an SMTP server",
  s3: "an S3 server",
  dynamodb: "a DynamoDB server",
  grpc: "a gRPC server",
  socketIo: "a Socket.IO server",
  browser: "Chromium",
  api: "an imitation of its API",
} as const;

export type ServiceName = keyof typeof SERVICE_TITLES;
