import { connects, dataFolder, disposeAll, freePort, type Service, startDaemon } from "./service.ts";

const PASSWORD = "a-password-of-tests";

/** Redis with a password, in memory only. */
export async function startRedis(): Promise<Service> {
  const folder = await dataFolder("redis");
  const port = await freePort();
  const daemon = await startDaemon({
    program: "/usr/bin/redis-server",
    debianPackage: "redis-server",
    args: [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", folder],
      ...["--save", "", "--appendonly", "no", "--requirepass", PASSWORD],
    ],
    probe: () => connects(port),
  });
  const address = `127.0.0.1:${port}`;
  return {
    hosts: [address],
    secrets: { REDIS_URL: `redis://:${PASSWORD}@${address}` },
    [Symbol.asyncDispose]: () => disposeAll([daemon], folder),
  };
}
