// Starts the real server for a test, in a process of its own; app.ts starts one in this process.

import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const KEY = "test-bootstrap-key-0123456789-0123456789";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed if it is JSON, text otherwise. */
  // deno-lint-ignore no-explicit-any
  readonly body: any;
}

export interface Server extends AsyncDisposable {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string;
  /** A key of the management group. */
  readonly key: string;
  readonly dataDir: string;
  readonly codeDir: string;
  /** Calls with `key`. Objects and arrays are sent as JSON; text, bytes, forms and streams as they are. */
  api(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  /** Sends a request byte for byte, as `fetch` tidies paths up. `head` is its first line and headers, both ways. */
  raw(head: string[]): Promise<{ status: number; head: string; body: string }>;
  /** What it has printed so far. */
  logs(): string;
  /** Waits until something printed matches; the match. */
  logged(pattern: RegExp): Promise<RegExpExecArray>;
  /** Id of the process that it runs in, whose children its sandboxes are. */
  readonly pid: number;
  /** The exit code of its process, however that ends. */
  readonly ended?: Promise<number>;
  /** Lets running requests finish, as SIGTERM does, and ends it; 0, or the exit code of its process. */
  stop(): Promise<number>;
}

export interface ServerOptions {
  /** More or other environment variables. */
  env?: Record<string, string>;
  /** Where `data` and `code` are, to start again on what another server left; removed by the caller. */
  folder?: string;
  /** A command of the shell that comes before the server's start, such as `ulimit -n 300`. */
  prepare?: string;
  /** The folder of the program, if it is not this one. */
  root?: string;
}

/** What was printed, and who waits for a part of it. */
export class Printed {
  text = "";
  readonly #waiting = new Set<() => void>();

  add(text: string): void {
    this.text += text;
    for (const look of this.#waiting) look();
  }

  match(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve) => {
      const look = () => {
        const match = pattern.exec(this.text);
        if (!match) return;
        this.#waiting.delete(look);
        resolve(match);
      };
      this.#waiting.add(look);
      look();
    });
  }
}

export function environment(dataDir: string, codeDir: string) {
  return { PORT: "0", HOST: "127.0.0.1", DATA_DIR: dataDir, CODE_DIR: codeDir, BOOTSTRAP_API_KEY: KEY };
}

export function clientOf(url: string, printed: Printed) {
  return {
    url,
    key: KEY,
    api: (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
      call(method, url + path, body, { "X-API-Key": KEY, ...headers }),
    raw: (head: string[]) => raw(url, head),
    logs: () => printed.text,
    logged: (pattern: RegExp) => printed.match(pattern),
  };
}

/**
 * A server in a process of its own, started by the command that users run. Written `await using`, it is stopped and
 * its folders are removed at the end of the test.
 */
export async function startServer({ env = {}, folder, prepare, root = ROOT }: ServerOptions = {}): Promise<Server> {
  const home = folder ?? await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  const dataDir = join(home, "data");
  const codeDir = join(home, "code");
  // The command that users run, from deno.json.
  const { tasks } = JSON.parse(
    await Deno.readTextFile(join(root, "deno.json")),
  );
  const [, ...args] = tasks.start.split(" ");
  const command = [Deno.execPath(), ...args];
  if (prepare !== undefined) command.unshift("/bin/sh", "-c", `${prepare} && exec "$@"`, "sh");
  const child = new Deno.Command(command[0]!, {
    args: command.slice(1),
    cwd: root,
    env: { ...environment(dataDir, codeDir), NO_COLOR: "1", ...env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  const printed = new Printed();
  const collect = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) printed.add(text);
  };
  const ended = Promise.all([
    child.status,
    collect(child.stdout),
    collect(child.stderr),
  ]);
  const listening = Promise.race([
    printed.match(/^Listening on (http:\/\/\S+)$/m),
    ended.then(([{ code }]) => {
      throw new Error(`The server ended with ${code}:\n${printed.text}`);
    }),
  ]);

  const stop = async (): Promise<number> => {
    try {
      child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    const [{ code }] = await ended;
    return code;
  };

  const dispose = async () => {
    await stop();
    if (folder === undefined) await Deno.remove(home, { recursive: true });
  };

  let url: string;
  try {
    url = (await listening)[1]!;
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    ...clientOf(url, printed),
    dataDir,
    codeDir,
    pid: child.pid,
    ended: ended.then(([{ code }]) => code),
    stop,
    [Symbol.asyncDispose]: dispose,
  };
}

/** A node of a cluster that loses its lease, as on a busy machine, has it again once it has the processor. */
const LEASE_MAX_MS = 20_000;

/** Like `fetch`, but asks a node that has no lease again, as a client behind a load balancer does. */
export async function fetchWithLease(url: string, init: RequestInit): Promise<Response> {
  const end = performance.now() + LEASE_MAX_MS;
  while (true) {
    const response = await fetch(url, init);
    if (response.status !== 503 || init.body instanceof ReadableStream || performance.now() > end) return response;
    if (!(await response.clone().text()).includes('"CutOff"')) return response;
    await response.body?.cancel();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** One request; a body that is not sent as it is becomes JSON. */
export async function call(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const asItIs = body === undefined || typeof body === "string" ||
    body instanceof Uint8Array ||
    body instanceof FormData || body instanceof ReadableStream;
  const response = await fetchWithLease(url, {
    method,
    headers: asItIs ? headers : { "Content-Type": "application/json", ...headers },
    body: asItIs ? body as BodyInit | undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith(
    "application/json",
  );
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text ? JSON.parse(text) : text,
  };
}

async function raw(
  url: string,
  head: string[],
): Promise<{ status: number; head: string; body: string }> {
  const { hostname, port } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const writer = connection.writable.getWriter();
  await writer.write(
    new TextEncoder().encode(
      [...head, "Connection: close", "", ""].join("\r\n"),
    ),
  );
  writer.releaseLock();
  let text = "";
  // Not to the end of the connection: the server keeps it for a body that was announced.
  for await (const chunk of connection.readable.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const [, top, body] = /^(.*?)\r\n\r\n(.*)$/s.exec(text) ?? [];
    const length = Number(/^content-length: (\d+)$/im.exec(top ?? "")?.[1]);
    if (body !== undefined && new TextEncoder().encode(body).length >= length) {
      return { status: Number(top!.split(" ")[1]), head: top!, body };
    }
  }
  throw new Error(`The connection ended within the answer: ${text}`);
}
