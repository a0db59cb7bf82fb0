// Accepts connections, and listens again after the operating system failed to accept one.

import { messageOf } from "../errors.ts";
import type { Log } from "../telemetry/log.ts";

export interface Listener {
  readonly hostname: string;
  /** The chosen port, if 0 was given. */
  readonly port: number;
  /** Rejects if the listener was lost and could not be opened again; never resolves. */
  readonly lost: Promise<never>;
  /** Closes the listener and every connection; settles when all are closed or `maxMs` have passed. */
  close(maxMs: number): Promise<void>;
}

export interface ListenerOptions {
  readonly hostname: string;
  readonly port: number;
  readonly log: Log;
  readonly onError: (error: unknown) => Response;
  readonly handler: Deno.ServeHandler<Deno.NetAddr>;
}

/** How long to try before the listener counts as lost. */
const REOPEN_MAX_MS = 10_000;
const REOPEN_INTERVAL_MS = 100;

/**
 * Listens on `hostname` and `port`. `Deno.serve` ends with its first failed accept(2), for example EMFILE when
 * descriptors run out, and never accepts again (Deno 2.9.6). This closes its connections, which frees their
 * descriptors, and listens on the same address again.
 * @throws Error if the address cannot be used
 */
export function openListener({ hostname, port, log, onError, handler }: ListenerOptions): Listener {
  const lost = Promise.withResolvers<never>();
  // A later `await` still gets the rejection. Without one, it must not count as unhandled.
  lost.promise.catch(() => {});
  let isClosing = false;
  let server: Deno.HttpServer<Deno.NetAddr>;

  const open = (port: number, onListen: () => void): Deno.HttpServer<Deno.NetAddr> => {
    const controller = new AbortController();
    const opened = Deno.serve({ hostname, port, onListen, onError, signal: controller.signal }, handler);
    opened.finished.catch((error) => {
      if (!isClosing) void reopen(opened.addr.port, controller, error);
    });
    return opened;
  };

  const reopen = async (port: number, failed: AbortController, why: unknown): Promise<void> => {
    log(
      "error",
      `A connection could not be accepted: ${
        messageOf(why)
      }. All connections are closed, and the server listens again.`,
    );
    const giveUpAt = performance.now() + REOPEN_MAX_MS;
    // Closes the remaining connections.
    failed.abort();
    while (!isClosing) {
      try {
        server = open(port, () => {});
        return;
      } catch (error) {
        if (performance.now() > giveUpAt) return lost.reject(error);
        await new Promise((resolve) => setTimeout(resolve, REOPEN_INTERVAL_MS));
      }
    }
  };

  server = open(port, () => {});
  return {
    hostname: server.addr.hostname,
    port: server.addr.port,
    lost: lost.promise,
    async close(maxMs) {
      isClosing = true;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise((resolve) => timer = setTimeout(resolve, maxMs));
      await Promise.race([server.shutdown(), late]);
      clearTimeout(timer);
    },
  };
}
