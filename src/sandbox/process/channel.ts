// Accepts the connection of one sandbox process. The process proves its identity by a random token that it got on its
// standard input; the path of its socket is not enough.

import { timingSafeEqual } from "node:crypto";

export const TOKEN_BYTES = 32;
/** How long a connection may take to present its token. */
const TOKEN_MAX_MS = 5_000;
/** Connections that have not presented their token yet. With more, the oldest is closed. */
const UNPROVED_MAX = 16;

/** Returns a new token for a process. */
export function createToken(): Uint8Array<ArrayBuffer> {
  return crypto.getRandomValues(new Uint8Array(TOKEN_BYTES));
}

/**
 * Returns the first connection whose first bytes are `token`, and closes all others. Rejects if the listener is closed
 * before.
 */
export function acceptAuthenticated(listener: Deno.UnixListener, token: Uint8Array): Promise<Deno.UnixConn> {
  const accepted = Promise.withResolvers<Deno.UnixConn>();
  const unproved = new Set<Deno.UnixConn>();
  const refuse = (connection: Deno.UnixConn): void => {
    if (unproved.delete(connection)) connection.close();
  };
  const verify = async (connection: Deno.UnixConn): Promise<void> => {
    const timer = setTimeout(() => refuse(connection), TOKEN_MAX_MS);
    const isProved = await presents(connection, token).catch(() => false);
    clearTimeout(timer);
    // It may have been closed meanwhile because another one was accepted.
    if (!isProved || !unproved.has(connection)) return refuse(connection);
    unproved.delete(connection);
    accepted.resolve(connection);
    unproved.forEach(refuse);
  };
  const accept = async (): Promise<never> => {
    while (true) {
      const connection = await listener.accept() as Deno.UnixConn;
      if (unproved.size >= UNPROVED_MAX) refuse(unproved.values().next().value!);
      unproved.add(connection);
      void verify(connection);
    }
  };
  accept().catch((error) => {
    accepted.reject(error);
    unproved.forEach(refuse);
  });
  return accepted.promise;
}

async function presents(connection: Deno.UnixConn, token: Uint8Array): Promise<boolean> {
  const presented = new Uint8Array(token.length);
  for (let length = 0; length < presented.length;) {
    const count = await connection.read(presented.subarray(length));
    if (count === null) return false;
    length += count;
  }
  return timingSafeEqual(presented, token);
}
