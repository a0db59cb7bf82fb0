// Responses as hosts send them, over real sockets: what is read of them however they are cut, what is refused, and which
// connections may be used again.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { Connection } from "../../src/egress/process/connection.ts";
import { readHead, ResponseBody, Unanswered, Unreadable } from "../../src/egress/process/http1.ts";

interface Read {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  readonly mayStay: boolean;
  /** What came after the response. */
  readonly left: string;
}

/** Reads a response that a host sends in pieces of `size` bytes, and then ends its connection. */
async function read(response: string, size = Infinity, method = "GET"): Promise<Read> {
  const bytes = Buffer.from(response, "latin1");
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sent = listener.accept().then(async (socket) => {
    socket.setNoDelay();
    try {
      for (let at = 0; at < bytes.length; at += Math.min(size, bytes.length)) {
        await socket.write(bytes.subarray(at, at + size));
        // Otherwise the next piece may join it.
        if (size < Infinity) await new Promise((resolve) => setImmediate(resolve));
      }
    } catch {
      // The other side has refused it.
    }
    return socket;
  });
  const connection = new Connection(await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }));
  const closed = sent.then((socket) => socket.close());
  try {
    const head = await readHead(connection, method);
    const body = new ResponseBody(connection, head);
    const pieces: Uint8Array[] = [];
    for await (const piece of body.pieces()) pieces.push(piece);
    return {
      status: head.status,
      headers: head.headers,
      body: Buffer.concat(pieces).toString("latin1"),
      mayStay: head.mayStay,
      left: Buffer.from(connection.unread).toString("latin1"),
    };
  } finally {
    connection.close();
    await closed;
  }
}

const refused = (response: string, message: RegExp, method?: string) =>
  assert.rejects(read(response, Infinity, method), (error) => {
    assert.ok(error instanceof Unreadable, String(error));
    assert.match(error.message, message);
    return true;
  });

Deno.test("a response is the same however it is cut", async () => {
  const chunked = "HTTP/1.1 200 OK\r\nX-A:  one \r\nx-a: two\r\nTransfer-Encoding: chunked\r\n\r\n" +
    '5\r\nhello\r\n6 ;ext="1"\r\n world\r\n0\r\nTrailer: dropped\r\n\r\n';
  const announced = "HTTP/1.1 404 Not Found\r\nContent-Length: 11\r\n\r\nhello world";
  const toTheEnd = "HTTP/1.1 200\r\n\r\nhello world";
  const onlyLineFeeds = "HTTP/1.1 200 OK\nContent-Length: 11\n\nhello world";
  const early = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + announced;
  for (const response of [chunked, announced, toTheEnd, onlyLineFeeds, early]) {
    const expected = await read(response);
    assert.equal(expected.body, "hello world", response);
    for (const size of [1, 3, 20]) assert.deepEqual(await read(response, size), expected, `${size} ${response}`);
  }
  assert.deepEqual((await read(chunked)).headers, ["X-A", "one", "x-a", "two", "Transfer-Encoding", "chunked"]);
  assert.equal((await read(early)).status, 404);
});

Deno.test("a long body passes a buffer that is shorter", async () => {
  const body = "0123456789abcdef".repeat(20_000);
  assert.equal((await read(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)).body, body);
  const chunks = `${(body.length / 2).toString(16)}\r\n${body.slice(0, body.length / 2)}\r\n`.repeat(1) +
    `${(body.length / 2).toString(16)}\r\n${body.slice(body.length / 2)}\r\n0\r\n\r\n`;
  assert.equal((await read(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`)).body, body);
});

Deno.test("a connection is used again only if the end of its response is beyond doubt", async () => {
  const mayStay = async (head: string, method?: string) =>
    (await read(`HTTP/1.1 ${head}\r\n\r\n`, Infinity, method)).mayStay;
  assert.equal(await mayStay("200 OK\r\nContent-Length: 0"), true);
  assert.equal(await mayStay("204 No Content"), true);
  assert.equal(await mayStay("304 Not Modified\r\nContent-Length: 5"), true);
  assert.equal(await mayStay("200 OK\r\nContent-Length: 5", "HEAD"), true);
  assert.equal(await mayStay("200 OK\r\nContent-Length: 0\r\nConnection: foo, Close"), false);
  assert.equal(await mayStay("200 OK"), false);
  const both = "200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0";
  assert.equal(await mayStay(both), false);
  assert.equal((await read("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n")).mayStay, false);
  const two = await read("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n");
  assert.equal(two.body, "ok");
  assert.match(two.left, /^HTTP/);
});

Deno.test("what could be read in two ways is refused", async () => {
  const head = (lines: string) => `HTTP/1.1 200 OK\r\n${lines}\r\n\r\n0\r\n\r\n`;
  await refused(head("Content-Length: 1\r\nContent-Length: 2"), /more than one length/);
  await refused(head("Content-Length: 1, 2"), /more than one length/);
  await refused(head("Content-Length: -1"), /more than one length/);
  await refused(head("Content-Length: 0x5"), /more than one length/);
  await refused(head("Transfer-Encoding: gzip, chunked"), /transferred in a way/);
  await refused(head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), /transferred in a way/);
  await refused(head("Transfer-Encoding: xchunked"), /transferred in a way/);
  await refused(head("X-A: sk_live_\r\n 51Habcdefgh"), /malformed header/);
  await refused(head("X-A : 1"), /malformed header/);
  await refused(head("X\0A: 1"), /malformed header/);
  await refused(head("X-A: a\rb"), /malformed header/);
  await refused("HTTP/2 200 OK\r\n\r\n", /did not answer with HTTP\/1.1/);
  await refused("<html>\r\n\r\n", /did not answer with HTTP\/1.1/);
  await refused("HTTP/1.1 101 Switching Protocols\r\n\r\n", /another protocol/);
  await refused("HTTP/1.1 100 Continue\r\n\r\n".repeat(30), /no final response/);
  const chunks = (text: string) => refused(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${text}`, /chunks/);
  await chunks("x\r\n");
  await chunks("-1\r\n");
  await chunks("5\r\nhelloX\r\n");
  await chunks(`5${";".padEnd(10_000, "x")}\r\n`);
  await chunks(`0\r\n${"a: b\r\n".repeat(5_000)}\r\n`);
  await refused(`HTTP/1.1 200 OK\r\n${"X-A: 1\r\n".repeat(50_000)}\r\n`, /too many headers/);
});

Deno.test("a response that breaks off is told from one that was never begun", async () => {
  await assert.rejects(read(""), Unanswered);
  for (
    const begun of [
      "HTTP/1.1 200 OK\r\nContent-",
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
    ]
  ) {
    await assert.rejects(read(begun), (error) => error instanceof Unreadable && !(error instanceof Unanswered));
  }
});
