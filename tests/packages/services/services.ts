// Starts the services that handlers of the package tests reach.

import { startApi } from "./api.ts";
import { startMemcached, startMosquitto, startNats, startRabbitmq } from "./brokers.ts";
import { startBrowser } from "./browser.ts";
import { startMariadb } from "./mariadb.ts";
import type { ServiceName } from "./names.ts";
import { startDynamodb, startGrpc, startS3, startSmtp, startSocketIo } from "./npm_servers.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import type { Service } from "./service.ts";

const START: Record<ServiceName, () => Promise<Service>> = {
  postgres: startPostgres,
  mariadb: startMariadb,
  redis: startRedis,
  memcached: startMemcached,
  mosquitto: startMosquitto,
  rabbitmq: startRabbitmq,
  nats: startNats,
  smtp: startSmtp,
  s3: startS3,
  dynamodb: startDynamodb,
  grpc: startGrpc,
  socketIo: startSocketIo,
  browser: startBrowser,
  api: startApi,
};

export interface Services extends AsyncDisposable {
  get(name: ServiceName): Service;
  /** Of all services. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Starts services in parallel. If one cannot be started, the others are stopped and its error is thrown. */
export async function startServices(names: Iterable<ServiceName>): Promise<Services> {
  const wanted = [...new Set(names)];
  const results = await Promise.allSettled(wanted.map((name) => START[name]()));
  const started = new Map<ServiceName, Service>();
  for (const [index, result] of results.entries()) {
    if (result.status === "fulfilled") started.set(wanted[index]!, result.value);
  }
  const stop = async () => {
    await Promise.all([...started.values()].map((service) => service[Symbol.asyncDispose]()));
  };
  const reasons = results.flatMap((result) => result.status === "rejected" ? [result.reason.message] : []);
  if (reasons.length > 0) {
    await stop();
    throw new Error(reasons.join("\n"));
  }
  return {
    get: (name) => started.get(name)!,
    secrets: Object.assign({}, ...[...started.values()].map(({ secrets }) => secrets)),
    [Symbol.asyncDispose]: stop,
  };
}
