// Nodes of a cluster as processes: started by the command that users run, each behind a proxy to PostgreSQL, to be killed,
// stopped, cut off and started again.

import { join } from "node:path";
import { type Server, startServer } from "../http/server.ts";
import type { TestPostgres } from "./postgres.ts";
import { TcpProxy } from "./proxy.ts";

export const PASSPHRASE = "a passphrase for the tests of clusters";
const FAKE_CLOCK = `/usr/lib/${Deno.build.arch}-linux-gnu/faketime/libfaketime.so.1`;

export class TestNode implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly proxy: TcpProxy;
  readonly #databaseUrl: string;
  #server: Server | undefined;
  #isStopped = false;
  /** Whether its folder is a disk of its own, which can be filled. */
  hasOwnDisk = false;
  /** Whether its clock can be set. */
  hasOwnClock = false;

  private constructor(name: string, folder: string, proxy: TcpProxy, databaseUrl: string) {
    this.name = name;
    this.folder = folder;
    this.proxy = proxy;
    this.#databaseUrl = databaseUrl;
  }

  /** `isDirect`: connects to PostgreSQL itself, so that `proxy` does nothing. */
  static async create(name: string, postgres: TestPostgres, isDirect = false): Promise<TestNode> {
    const folder = await Deno.makeTempDir({ prefix: `crude-functions-test-node-${name}-` });
    const proxy = await TcpProxy.to(postgres.port);
    const url = new URL(postgres.url);
    if (!isDirect) url.port = String(proxy.port);
    return new TestNode(name, folder, proxy, `${url.href}?sslmode=disable`);
  }

  get server(): Server {
    if (!this.#server) throw new Error(`node ${this.name} is not running`);
    return this.#server;
  }

  get isRunning(): boolean {
    return this.#server !== undefined;
  }

  /** Starts the program in `root`, this one by default. */
  async start(env: Record<string, string> = {}, root?: string): Promise<void> {
    this.#server = await startServer({
      folder: this.folder,
      ...(root !== undefined && { root }),
      env: {
        DATABASE_URL: this.#databaseUrl,
        KEYRING_PASSPHRASE: PASSPHRASE,
        ...(this.hasOwnClock && {
          LD_PRELOAD: FAKE_CLOCK,
          FAKETIME_TIMESTAMP_FILE: this.#clock,
          FAKETIME_NO_CACHE: "1",
          // Nobody can set that one.
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        }),
        ...env,
      },
    });
  }

  /** Ends it as SIGTERM does. */
  async stop(): Promise<void> {
    this.resume();
    await this.#server?.stop();
    this.#server = undefined;
  }

  /** Kills the process of the server; those of its functions end with it. */
  async kill(): Promise<void> {
    const server = this.server;
    this.#server = undefined;
    Deno.kill(server.pid, "SIGKILL");
    this.#isStopped = false;
    await server.stop();
  }

  /** Stops the process until `resume`, so that it neither answers nor notices. */
  pause(): void {
    Deno.kill(this.server.pid, "SIGSTOP");
    this.#isStopped = true;
  }

  resume(): void {
    if (this.#isStopped && this.#server) Deno.kill(this.#server.pid, "SIGCONT");
    this.#isStopped = false;
  }

  /** What it has printed since its last start. */
  logs(): string {
    return this.#server?.logs() ?? "";
  }

  /**
   * Puts its folder, which must be empty, on a disk in memory of this size.
   * @throws Error if this process may not mount one
   */
  async mountDisk(megabytes: number): Promise<void> {
    await run("mount", "-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", this.folder);
    this.hasOwnDisk = true;
  }

  /** Writes to its disk until nothing fits any more. */
  fillDisk(): void {
    using file = Deno.openSync(this.#filler, { create: true, append: true });
    try {
      for (const bytes of [65_536, 1]) {
        try {
          while (true) if (file.writeSync(new Uint8Array(bytes)) < bytes) break;
        } catch (error) {
          if (bytes === 1) throw error;
        }
      }
    } catch {
      // It is full.
    }
  }

  async emptyDisk(): Promise<void> {
    await Deno.remove(this.#filler);
  }

  /** Gives it a clock of its own, before it is started. @throws Error without Debian's package libfaketime */
  useOwnClock(): void {
    Deno.statSync(FAKE_CLOCK);
    this.hasOwnClock = true;
    this.setClock(0);
  }

  /** Sets its clock so many seconds before or after the right time. */
  setClock(seconds: number): void {
    Deno.writeTextFileSync(`${this.#clock}.new`, `${seconds < 0 ? "" : "+"}${seconds.toFixed(3)}s\n`);
    Deno.renameSync(`${this.#clock}.new`, this.#clock);
  }

  get #clock(): string {
    return join(this.folder, "clock");
  }

  get #filler(): string {
    return join(this.folder, "filler");
  }

  get codeDir(): string {
    return join(this.folder, "code");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.proxy.heal();
    await this.stop();
    await this.proxy[Symbol.asyncDispose]();
    if (this.hasOwnDisk) await run("umount", this.folder);
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args, stdout: "null", stderr: "piped" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
}

export interface TestClusterOptions {
  /** Called with each node before it is started. */
  readonly prepare?: (node: TestNode) => Promise<void>;
  /** Whether nodes connect to PostgreSQL without a proxy, such as to be measured. */
  readonly isDirect?: boolean;
}

/** Nodes that are started one after the other, and removed together. */
export class TestCluster implements AsyncDisposable {
  readonly nodes: readonly TestNode[];

  private constructor(nodes: readonly TestNode[]) {
    this.nodes = nodes;
  }

  static async start(
    postgres: TestPostgres,
    size: number,
    { prepare, isDirect }: TestClusterOptions = {},
  ): Promise<TestCluster> {
    const nodes: TestNode[] = [];
    try {
      for (let n = 1; n <= size; n++) nodes.push(await TestNode.create(`n${n}`, postgres, isDirect));
      for (const node of nodes) await prepare?.(node);
      await Promise.all(nodes.map((node) => node.start()));
    } catch (error) {
      for (const node of nodes) await node[Symbol.asyncDispose]();
      throw error;
    }
    return new TestCluster(nodes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }
}
