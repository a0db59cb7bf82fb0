// A TCP proxy between a node and PostgreSQL that can hold back, delay or cut what it carries, as networks do.

import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #held: PromiseWithResolvers<void> | undefined;
  #isRefusing = false;
  /** How long each piece is delayed, both ways. */
  delayMs = 0;

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      if (this.#isRefusing) return client.destroy();
      const server = connect(targetPort, "127.0.0.1");
      const pair = [client, server] as const;
      this.#pairs.add(pair);
      const end = (): void => {
        client.destroy();
        server.destroy();
        this.#pairs.delete(pair);
      };
      for (const socket of pair) socket.setNoDelay(true).on("error", end).on("close", end);
      void this.#carry(client, server);
      void this.#carry(server, client);
    });
  }

  static async to(port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(port);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Carries nothing until `heal`, and ends no connection, as a firewall that drops packets. */
  hold(): void {
    this.#held ??= Promise.withResolvers();
  }

  /** Ends all connections and accepts none until `heal`. */
  cut(): void {
    this.#isRefusing = true;
    for (const [client, server] of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  heal(): void {
    this.#isRefusing = false;
    this.delayMs = 0;
    this.#held?.resolve();
    this.#held = undefined;
  }

  async #carry(from: Socket, to: Socket): Promise<void> {
    try {
      for await (const piece of from) {
        if (this.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.delayMs));
        await this.#held?.promise;
        if (!to.write(piece)) await new Promise((resolve) => to.once("drain", resolve).once("close", resolve));
      }
      to.end();
    } catch {
      to.destroy();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#held?.resolve();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
