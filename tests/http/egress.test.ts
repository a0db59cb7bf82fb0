// The egress process on its own: what it sends, where, and what of a response reaches the other side.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { createEgress, type Egress } from "../../src/egress/egress.ts";
import type { SealedRequest } from "../../src/sandbox/host/fetches.ts";
import { prepareRuntime } from "../../src/sandbox/process/toolchain.ts";
import { BodyMode } from "../../src/sandbox/wire/protocol.ts";
import type { SealedEntry, SendPlace } from "../../src/sealed.ts";
import { ROOT } from "./server.ts";
import { CA, startHost } from "./sealed_host.ts";

const runtime = await prepareRuntime(ROOT);
const VALUE = "sk_live_Qm7-tT9/+x=é'\"<&>w";
const ASCII = "sk_live_51Habcdefghij";
const PLACEHOLDER = "sealed_STRIPE_KEY_0123456789abcdefABCDEF-_0123456789abcdef";

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly failure: string | undefined;
  /** The body's pieces as they arrived. */
  readonly pieces: readonly string[];
}

interface Ask extends Partial<Omit<SealedRequest, "url" | "sealed">> {
  readonly value?: string;
  readonly places?: readonly SendPlace[];
  readonly body?: string;
  /** Sends the body in pieces of this many bytes. */
  readonly pieceBytes?: number;
  readonly net?: boolean | readonly string[];
  readonly onPiece?: (text: string) => void;
}

class Fixture implements AsyncDisposable {
  readonly egress: Egress;
  /** Resolves with what the server's log says of a failure. */
  readonly failure = Promise.withResolvers<string>();
  /** The path of its folders. */
  readonly folder: string;

  constructor(own: readonly string[] = []) {
    this.folder = Deno.makeTempDirSync({ prefix: "crude-functions-test-" });
    Deno.chmodSync(this.folder, 0o711);
    const runDir = join(this.folder, "run");
    Deno.mkdirSync(runDir, { mode: 0o711 });
    this.egress = createEgress({
      process: {
        runDir,
        runtime,
        ownAddresses: () => own,
        machineHosts: () => [],
        nodeAddresses: () => [],
        databaseAddresses: () => [],
        denyNet: () => [],
      },
      certificates: [CA],
      onFailure: this.failure.resolve,
    });
  }

  ask(url: string, ask: Ask = {}): Promise<Answer> {
    const {
      method = "GET",
      headers = [],
      value = ASCII,
      places = ["header"],
      body,
      pieceBytes,
      onPiece,
    } = ask;
    const sealed: SealedEntry[] = [{ placeholder: PLACEHOLDER, name: "STRIPE_KEY", value, places }];
    const bytes = Buffer.from(body ?? "");
    const isStreamed = pieceBytes !== undefined;
    const mode = body === undefined ? BodyMode.None : isStreamed ? BodyMode.Stream : BodyMode.Whole;
    const { length = isStreamed ? null : bytes.length } = ask;
    const sender = this.egress.sender(ask.net ?? ["127.0.0.1", "localhost"]);
    return new Promise((resolve) => {
      let [status, head] = [0, {} as Record<string, string>];
      const pieces: string[] = [];
      const end = (failure?: string): void => {
        sender.close();
        resolve({
          status,
          headers: head,
          text: pieces.join(""),
          failure,
          pieces,
        });
      };
      const exchange = sender.send(
        { method, url, headers, mode, length, sealed },
        isStreamed ? Buffer.alloc(0) : bytes,
        {
          head(given, _text, headers, mode, body) {
            status = given;
            head = Object.fromEntries(
              headers.flatMap((name, i) => i % 2 === 0 ? [[name, headers[i + 1]!]] : []),
            );
            if (mode !== BodyMode.Stream) {
              pieces.push(Buffer.from(body).toString());
              end();
            }
          },
          piece(bytes) {
            pieces.push(Buffer.from(bytes).toString());
            onPiece?.(pieces.at(-1)!);
            exchange.credit(bytes.length);
          },
          end: () => end(),
          credit() {},
          used() {},
          failed: end,
        },
      );
      if (!isStreamed) return;
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        exchange.body(bytes.subarray(at, at + pieceBytes));
      }
      exchange.endBody();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.egress.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The id of the egress process whose socket is in this folder. */
function processOf(folder: string): number {
  for (const { name } of Deno.readDirSync("/proc")) {
    try {
      const [...args] = Deno.readTextFileSync(`/proc/${Number(name)}/cmdline`).split("\0");
      if (args.some((arg) => arg.endsWith("egress/process/main.ts")) && args.some((arg) => arg.startsWith(folder))) {
        return Number(name);
      }
    } catch {
      // It is no process, or has ended.
    }
  }
  throw new Error("there is no egress process");
}

Deno.test("a value is put into headers, also within Basic, and its echo is masked in headers and body", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const url = `https://localhost:${host.port}`;
  const bearer = await egress.ask(`${url}/x?header=authorization`, {
    headers: [
      "authorization",
      `Bearer ${PLACEHOLDER}`,
      "x-two",
      `${PLACEHOLDER}:${PLACEHOLDER}`,
    ],
  });
  assert.equal(bearer.failure, undefined);
  assert.equal(host.last.headers.authorization, `Bearer ${ASCII}`);
  assert.equal(host.last.headers["x-two"], `${ASCII}:${ASCII}`);
  assert.equal(bearer.headers["x-echo"], "Bearer [secret STRIPE_KEY]");
  assert.equal(JSON.parse(bearer.text).headers.authorization, "Bearer [secret STRIPE_KEY]");
  assert.ok(!bearer.text.includes(ASCII));
  const basic = Buffer.from(`user:${PLACEHOLDER}`).toString("base64");
  const answer = await egress.ask(url, {
    headers: ["authorization", `Basic ${basic}`],
  });
  const sent = Buffer.from(host.last.headers.authorization!.slice(6), "base64")
    .toString();
  assert.equal(sent, `user:${ASCII}`);
  // The masked text begins within the Base64 of "user:".
  assert.match(JSON.parse(answer.text).headers.authorization, /^Basic \S*\[secret STRIPE_KEY\]$/);
});

Deno.test("a value that headers have no agreed encoding for is sent in Basic only, and its echo is masked", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const url = `https://localhost:${host.port}/`;
  for (const value of ["p\u00e4ssw\u00f6rd-geheim", "\u5bc6\u7801-12345678", "first line\nsecond line"]) {
    const { failure } = await egress.ask(url, { headers: ["x-key", PLACEHOLDER], value });
    assert.match(failure!, /STRIPE_KEY" cannot be sent in the header x-key: its value has line breaks or characters/);
    assert.equal(host.received.length, 0);
  }
  const value = "p\u00e4ssw\u00f6rd-geheim";
  const basic = `Basic ${Buffer.from(`user:${PLACEHOLDER}`).toString("base64")}`;
  const answer = await egress.ask(url, { headers: ["authorization", basic], value });
  assert.equal(Buffer.from(host.last.headers.authorization!.slice(6), "base64").toString(), `user:${value}`);
  assert.match(JSON.parse(answer.text).headers.authorization, /^Basic \S*\[secret STRIPE_KEY\]$/);
});

Deno.test("a value goes only into the places that are open, each with its encoding", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const url = `https://localhost:${host.port}/a/${PLACEHOLDER}/b?key=${PLACEHOLDER}`;
  const text = (type: string, body: string, places: readonly SendPlace[]) =>
    egress.ask(url, {
      method: "POST",
      headers: ["content-type", type, "authorization", PLACEHOLDER],
      body,
      value: VALUE,
      places,
    });
  const closed = await text("text/plain", PLACEHOLDER, []);
  assert.equal(closed.failure, undefined);
  assert.equal(host.last.target, `/a/${PLACEHOLDER}/b?key=${PLACEHOLDER}`);
  assert.equal(host.last.headers.authorization, PLACEHOLDER);
  assert.equal(host.last.body, PLACEHOLDER);
  await text("text/plain", `<${PLACEHOLDER}>`, ["query", "path", "body"]);
  const { pathname, searchParams } = new URL(host.last.target, url);
  assert.equal(searchParams.get("key"), VALUE);
  assert.equal(pathname.split("/").length, 4, "a slash in the value is no step");
  assert.equal(decodeURIComponent(pathname.split("/")[2]!), VALUE);
  assert.equal(host.last.body, `<${VALUE}>`);
  assert.equal(host.last.headers.authorization, PLACEHOLDER);
  assert.equal(host.last.headers["content-length"], String(Buffer.byteLength(host.last.body)));
  await text("application/json; charset=utf-8", JSON.stringify({ key: PLACEHOLDER }), ["body"]);
  assert.deepEqual(JSON.parse(host.last.body), { key: VALUE });
  await text("application/x-www-form-urlencoded", `a=1&key=${PLACEHOLDER}`, ["body"]);
  assert.equal(new URLSearchParams(host.last.body).get("key"), VALUE);
  await text("application/octet-stream", PLACEHOLDER, ["body"]);
  assert.equal(host.last.body, PLACEHOLDER);
});

Deno.test("in a form with files, a value goes into text fields only", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const form = new FormData();
  form.set("token", `a ${PLACEHOLDER} b`);
  form.set(
    "file",
    new File([PLACEHOLDER], `${PLACEHOLDER}.txt`, { type: "text/plain" }),
  );
  form.set("last", PLACEHOLDER);
  const request = new Request("http://x", { method: "POST", body: form });
  const type = request.headers.get("content-type")!;
  const body = await request.text();
  for (const pieceBytes of [undefined, 1, 7, 1_000]) {
    const answer = await egress.ask(`https://localhost:${host.port}/`, {
      method: "POST",
      headers: ["content-type", type],
      places: ["body"],
      body,
      ...(pieceBytes && { pieceBytes }),
    });
    assert.equal(answer.failure, undefined);
    const got = await new Response(host.last.body, { headers: { "content-type": type } }).formData();
    assert.equal(got.get("token"), `a ${ASCII} b`);
    assert.equal(got.get("last"), ASCII);
    const file = got.get("file") as File;
    assert.equal(file.name, `${PLACEHOLDER}.txt`);
    assert.equal(await file.text(), PLACEHOLDER);
  }
});

Deno.test("placeholders that are split over the pieces of a body are found", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const body = JSON.stringify({
    a: PLACEHOLDER,
    b: `${PLACEHOLDER}${PLACEHOLDER}`,
    c: PLACEHOLDER.slice(0, -1),
  });
  for (const pieceBytes of [1, 3, 50]) {
    await egress.ask(`https://localhost:${host.port}/`, {
      method: "PUT",
      headers: ["content-type", "application/json"],
      value: VALUE,
      places: ["body"],
      body,
      pieceBytes,
    });
    assert.deepEqual(JSON.parse(host.last.body), { a: VALUE, b: VALUE + VALUE, c: PLACEHOLDER.slice(0, -1) });
    assert.equal(host.last.headers["transfer-encoding"], "chunked");
  }
  await egress.ask(`https://localhost:${host.port}/`, {
    method: "PUT",
    headers: ["content-type", "application/json"],
    places: ["body"],
    body,
    pieceBytes: 9,
    length: body.length,
  });
  assert.equal(host.last.headers["content-length"], String(host.last.body.length));
});

Deno.test("headers of the connection, of the host and of the encoding are not the handler's", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const answer = await egress.ask(`https://localhost:${host.port}/`, {
    headers: [
      ...[
        "host",
        "evil.example",
        "referer",
        "https://evil.example/",
        "range",
        "bytes=0-3",
        "accept-encoding",
        "zstd",
      ],
      ...["connection", "close", "te", "trailers", "transfer-encoding", "chunked", "content-length", "3"],
      ...["x-own", "1", "user-agent", "mine"],
    ],
  });
  assert.equal(answer.status, 200);
  assert.deepEqual(host.last.headers, {
    accept: "*/*",
    "accept-encoding": "gzip, br",
    "accept-language": "*",
    host: `localhost:${host.port}`,
    "user-agent": "mine",
    "x-own": "1",
  });
});

Deno.test("what would end a header or begin another request is refused", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const url = `https://localhost:${host.port}/`;
  const refused = async (ask: Ask, message: RegExp) => assert.match((await egress.ask(url, ask)).failure!, message);
  await refused({ headers: ["x-a", "1\r\nx-b: 2"] }, /header is malformed/);
  await refused({ headers: ["x-a\r\nx-b", "1"] }, /header is malformed/);
  await refused({ headers: ["x-a", "1\0"] }, /header is malformed/);
  await refused(
    { headers: ["x-a", PLACEHOLDER], value: "line one\nline two" },
    /"STRIPE_KEY" cannot be sent in the header/,
  );
  await refused({ headers: ["x-a", PLACEHOLDER], value: "snow ☃ snow ☃" }, /"STRIPE_KEY" cannot be sent in the header/);
  await refused({ method: "GET / HTTP/1.1\r\nx:" }, /method is not allowed/);
  await refused({ method: "TRACE" }, /method is not allowed/);
  // More than was announced would be another request.
  const two = { method: "POST", body: "abcGET /smuggled HTTP/1.1\r\n\r\n", pieceBytes: 100, length: 3 };
  await refused(two, /announced length/);
  await refused({ ...two, length: 100 }, /announced length/);
  assert.ok(host.received.every(({ target }) => target === "/"));
  assert.match(
    (await egress.ask(`https://user:${PLACEHOLDER}@localhost:${host.port}/`))
      .failure!,
    /URL/,
  );
});

Deno.test("compressed echoes are decoded and masked, and those that cannot be searched are refused", async () => {
  await using egress = new Fixture();
  await using host = startHost();
  const ask = (encoding: string) =>
    egress.ask(
      `https://localhost:${host.port}/?only=authorization&encoding=${encoding}`,
      {
        headers: ["authorization", `Bearer ${PLACEHOLDER}`],
      },
    );
  for (const encoding of ["gzip", "br", "deflate", "deflate-raw"]) {
    const { text, headers, failure } = await ask(encoding);
    assert.equal(failure, undefined, encoding);
    assert.equal(text, "Bearer [secret STRIPE_KEY]", encoding);
    assert.equal(headers["content-encoding"], undefined);
  }
  assert.match((await ask("zstd")).failure!, /compressed in a way that cannot be searched/);
});

Deno.test("an echo in pieces is masked wherever it is split, and nothing of it passes before", async () => {
  await using egress = new Fixture();
  const forms = [
    ASCII,
    Buffer.from(ASCII).toString("base64"),
    Buffer.from(ASCII).toString("hex"),
    [...ASCII].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join(""),
    [...Buffer.from(ASCII)].join(", "),
  ];
  for (const form of forms) {
    const text = `before ${form} after`;
    let splitAt = 0;
    const encoder = new TextEncoder();
    await using host = startHost(true, () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(encoder.encode(text.slice(0, splitAt)));
            await new Promise((resolve) => setTimeout(resolve, 5));
            controller.enqueue(encoder.encode(text.slice(splitAt)));
            controller.close();
          },
        }),
      ));
    for (splitAt = 8; splitAt < text.length - 6; splitAt += 11) {
      const answer = await egress.ask(`https://localhost:${host.port}/`);
      assert.match(
        answer.text,
        /^before \S*\[secret STRIPE_KEY\]\S* after$/,
        `${form} at ${splitAt}`,
      );
    }
  }
});

Deno.test("what passes, and when, does not depend on the beginning of a value", async () => {
  await using egress = new Fixture();
  for (
    const guess of [
      "sk_live_51Habcdefghi",
      "sk_live_51Habcdefghx",
      "xxxxxxxxxxxxxxxxxxxx",
    ]
  ) {
    const held = Promise.withResolvers<void>();
    const first = `${"-".repeat(1_000)}${guess}`;
    await using host = startHost(true, () =>
      new Response(
        new ReadableStream({
          async start(controller) {
            controller.enqueue(new TextEncoder().encode(first));
            await held.promise;
            controller.close();
          },
        }),
      ));
    const answer = await egress.ask(`https://localhost:${host.port}/`, { onPiece: () => held.resolve() });
    assert.equal(answer.text, first);
    // As many bytes wait whatever they are.
    assert.equal(answer.pieces[0]!.length, first.length - 12 * ASCII.length + 1);
  }
});

Deno.test("each line of a stream passes at once, and an echo in it is masked", async () => {
  await using egress = new Fixture();
  let passed = Promise.withResolvers<void>();
  const events = [
    `data: {"n": 1}\n\n`,
    `data: {"key": "${ASCII}"}\n\n`,
    "data: [DONE]\n\n",
  ];
  await using host = startHost(true, () =>
    new Response(
      new ReadableStream({
        async start(controller) {
          for (const event of events) {
            passed = Promise.withResolvers();
            controller.enqueue(new TextEncoder().encode(event));
            await passed.promise;
          }
          controller.close();
        },
      }),
      { headers: { "content-type": "text/event-stream" } },
    ));
  const { text } = await egress.ask(`https://localhost:${host.port}/`, { onPiece: () => passed.resolve() });
  assert.equal(text, events.join("").replace(ASCII, "[secret STRIPE_KEY]"));
});

Deno.test("the certificate is checked, and what is closed to the function is not connected to", async () => {
  await using host = startHost();
  await using egress = new Fixture(["192.0.2.1:8000"]);
  const { port } = host;
  assert.match(
    (await egress.ask(`https://127.0.0.1:${port}/`)).failure!,
    /certificate of the host is not valid/,
  );
  const closed = (url: string, net: boolean | readonly string[]) => egress.ask(url, { net });
  // Without a list, this machine is closed, also by a name that leads to it.
  assert.match(
    (await closed(`https://localhost:${port}/`, true)).failure!,
    /may not connect to "localhost/,
  );
  assert.match(
    (await closed(`https://127.0.0.1:${port}/`, true)).failure!,
    /may not connect to "127.0.0.1/,
  );
  assert.match(
    (await closed(`https://[::1]:${port}/`, true)).failure!,
    /may not connect to/,
  );
  assert.match(
    (await closed(`https://169.254.169.254/`, true)).failure!,
    /may not connect to/,
  );
  assert.match(
    (await closed("https://192.0.2.1:8000/", ["192.0.2.1"])).failure!,
    /may not connect to/,
  );
  assert.match(
    (await closed("https://no-such-name.invalid/", true)).failure!,
    /has no address/,
  );
  assert.equal(host.received.length, 0);
});

Deno.test("long bodies pass both ways in windows", async () => {
  await using egress = new Fixture();
  await using host = startHost(
    false,
    (_, { body }) => new Response(new Blob([body, body]).stream()),
  );
  const body = "0123456789abcdef".repeat(40_000);
  const url = `http://127.0.0.1:${host.port}/`;
  const long = await egress.ask(url, { method: "POST", body, pieceBytes: 30_000, length: body.length });
  assert.equal(long.text, body + body);
  assert.equal(host.last.headers["content-length"], String(body.length));
  const head = await egress.ask(url, { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
});

Deno.test("if the process dies, its requests fail, the log says so, and the next one gets another process", async () => {
  await using egress = new Fixture();
  const arrived = Promise.withResolvers<void>();
  const never = Promise.withResolvers<void>();
  await using host = startHost(false, () => {
    arrived.resolve();
    return new Response(new ReadableStream({ pull: () => never.promise }));
  });
  await using other = startHost(false);
  const ended = egress.ask(`http://127.0.0.1:${host.port}/`);
  await arrived.promise;
  Deno.kill(processOf(egress.folder), "SIGKILL");
  assert.match((await ended).failure!, /has ended/);
  assert.equal((await egress.ask(`http://127.0.0.1:${other.port}/`)).status, 200);
  assert.equal(await egress.failure.promise, "The process that sends requests with sealed secrets has ended.");
  never.resolve();
});
