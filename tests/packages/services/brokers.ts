// Message brokers and caches that need no more than a port.

import { connects, dataFolder, disposeAll, freePort, type Service, startDaemon, writeConfig } from "./service.ts";

/** Mosquitto, an MQTT broker; anonymous clients. */
export async function startMosquitto(): Promise<Service> {
  const folder = await dataFolder("mosquitto", "mosquitto");
  const port = await freePort();
  const config = await writeConfig(
    folder,
    "mosquitto.conf",
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`,
  );
  const daemon = await startDaemon({
    program: "/usr/sbin/mosquitto",
    debianPackage: "mosquitto",
    args: ["-c", config],
    user: "mosquitto",
    probe: () => connects(port),
  });
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { MQTT_URL: `mqtt://127.0.0.1:${port}` },
    [Symbol.asyncDispose]: () => disposeAll([daemon], folder),
  };
}

/** RabbitMQ, an AMQP 0-9-1 broker, with its user `guest`. */
export async function startRabbitmq(): Promise<Service> {
  const user = "rabbitmq";
  const folder = await dataFolder("rabbitmq", user);
  const [port, distributionPort, mapperPort] = [await freePort(), await freePort(), await freePort()];
  const node = `crude-functions-test-${port}@localhost`;
  // Erlang's port mapper, which would otherwise be started in the background and stay.
  const mapper = await startDaemon({
    program: "/usr/bin/epmd",
    debianPackage: "erlang-base",
    args: ["-port", String(mapperPort), "-address", "127.0.0.1"],
    user,
    probe: () => connects(mapperPort),
  });
  const daemon = await startDaemon({
    program: "/usr/lib/rabbitmq/bin/rabbitmq-server",
    debianPackage: "rabbitmq-server",
    args: [],
    env: {
      HOME: folder,
      RABBITMQ_NODENAME: node,
      RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
      RABBITMQ_NODE_PORT: String(port),
      RABBITMQ_DIST_PORT: String(distributionPort),
      RABBITMQ_MNESIA_BASE: folder,
      RABBITMQ_LOG_BASE: folder,
      RABBITMQ_LOGS: "-",
      RABBITMQ_PID_FILE: `${folder}/pid`,
      RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/plugins`,
      ERL_EPMD_PORT: String(mapperPort),
    },
    user,
    probe: () => connects(port),
  });
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { AMQP_URL: `amqp://guest:guest@127.0.0.1:${port}` },
    [Symbol.asyncDispose]: () => disposeAll([daemon, mapper], folder),
  };
}

/** NATS. */
export async function startNats(): Promise<Service> {
  const port = await freePort();
  const daemon = await startDaemon({
    program: "/usr/sbin/nats-server",
    debianPackage: "nats-server",
    args: ["--addr", "127.0.0.1", "--port", String(port)],
    probe: () => connects(port),
  });
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { NATS_URL: `nats://127.0.0.1:${port}` },
    [Symbol.asyncDispose]: () => disposeAll([daemon]),
  };
}

/** memcached. */
export async function startMemcached(): Promise<Service> {
  const port = await freePort();
  const daemon = await startDaemon({
    program: "/usr/bin/memcached",
    debianPackage: "memcached",
    args: ["-l", "127.0.0.1", "-p", String(port), "-u", "nobody"],
    probe: () => connects(port),
  });
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { MEMCACHED_SERVERS: `127.0.0.1:${port}` },
    [Symbol.asyncDispose]: () => disposeAll([daemon]),
  };
}
