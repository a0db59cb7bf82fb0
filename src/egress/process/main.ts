// The egress process: sends requests with sealed values as the server alone says. It runs no
// code of handlers and holds no keys. Its only argument is the path of the server's socket.

import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { BUSY_CALLS, FrameWriter, readFrames } from "../../sandbox/wire/protocol.ts";
import type { SealedEntry } from "../../sealed.ts";
import { FromEgress, type RequestPayload, ToEgress } from "../wire.ts";
import { Addresses } from "./addresses.ts";
import { Exchange, type Lane } from "./exchange.ts";
import { Masker } from "./masker.ts";

const TOKEN_BYTES = 32;
/** An idle connection is closed before most servers do it. */
const IDLE_MS = 4_000;
const IDLE_CONNECTIONS_MAX = 16;
/** Maskers that are kept for the next calls that are given the same values, and for how long without a request. */
const MASKERS_MAX = 32;
const MASKERS_MS = 10_000;

const exchanges = new Map<number, Exchange>();
const lanes = new Map<number, Lane>();
const maskers = new Map<string, Masker>();
const addresses = new Addresses();
let forgetting: ReturnType<typeof setTimeout> | undefined;

function laneOf(id: number): Lane {
  let lane = lanes.get(id);
  if (!lane) {
    const options = {
      keepAlive: true,
      timeout: 0,
      maxFreeSockets: IDLE_CONNECTIONS_MAX,
      scheduling: "lifo" as const,
    };
    lane = { plain: closingIdle(new http.Agent(options)), encrypted: closingIdle(new https.Agent(options)) };
    lanes.set(id, lane);
  }
  return lane;
}

/** Closes connections that were not used for a while. An exchange that uses one stops its clock. */
function closingIdle<A extends http.Agent>(agent: A): A {
  const known = new WeakSet<Socket>();
  agent.on("free", (socket: Socket) => {
    socket.setTimeout(IDLE_MS);
    if (known.has(socket)) return;
    known.add(socket);
    socket.on("timeout", () => socket.destroy());
  });
  return agent;
}

function maskerOf(sealed: readonly SealedEntry[]): Masker {
  const key = JSON.stringify(sealed.map(({ name, value }) => [name, value]));
  let masker = maskers.get(key);
  if (masker) maskers.delete(key);
  else masker = new Masker(sealed);
  maskers.set(key, masker);
  if (maskers.size > MASKERS_MAX) maskers.delete(maskers.keys().next().value!);
  return masker;
}

// The exchanges of all functions share this process. One that fails in an unforeseen way ends at its call's time limit.
for (const type of ["error", "unhandledrejection"]) {
  addEventListener(type, (event) => {
    event.preventDefault();
    const { name = "an error" } =
      ((event as ErrorEvent).error ?? (event as PromiseRejectionEvent).reason ?? {}) as Error;
    // Not its message, which may hold a value.
    console.error(`An exchange failed: ${name}`);
  });
}

const connection = await Deno.connect({ transport: "unix", path: Deno.args[0]! });
const token = new Uint8Array(TOKEN_BYTES);
for (let length = 0; length < token.length;) {
  const count = await Deno.stdin.read(token.subarray(length));
  if (count === null) Deno.exit(0);
  length += count;
}
await connection.write(token);
const writer = new FrameWriter((bytes) => connection.write(bytes), () => exchanges.size >= BUSY_CALLS);

function open(id: number, request: RequestPayload, body: Uint8Array): void {
  const exchange = new Exchange({
    request,
    body: body.slice(),
    addresses,
    lane: laneOf(request.lane),
    masker: maskerOf(request.sealed),
    port: {
      head: (head, bytes) => writer.send(FromEgress.Head, id, JSON.stringify(head), bytes),
      piece: (bytes) => writer.send(FromEgress.Piece, id, "", bytes),
      end: () => writer.send(FromEgress.End, id),
      credit: (bytes) => writer.send(FromEgress.Credit, id, String(bytes)),
      failed: (message) => writer.send(FromEgress.Failed, id, message),
    },
  });
  exchanges.set(id, exchange);
  clearTimeout(forgetting);
  void exchange.run().finally(() => {
    exchanges.delete(id);
    if (exchanges.size > 0) return;
    clearTimeout(forgetting);
    forgetting = setTimeout(() => maskers.clear(), MASKERS_MS);
  });
}

await readFrames((into) => connection.read(into), (type, id, payload, body) => {
  switch (type) {
    case ToEgress.Request:
      open(id, JSON.parse(payload), body);
      break;
    case ToEgress.Body:
      exchanges.get(id)?.receiveBody(body.slice());
      break;
    case ToEgress.BodyEnd:
      exchanges.get(id)?.endBody();
      break;
    case ToEgress.Credit:
      exchanges.get(id)?.receiveCredit(Number(payload));
      break;
    case ToEgress.Abort:
      exchanges.get(id)?.abort();
      break;
    case ToEgress.CloseLane:
      for (const agent of Object.values(lanes.get(id) ?? {}) as http.Agent[]) {
        agent.destroy();
      }
      lanes.delete(id);
      break;
  }
});
// The server is gone.
Deno.exit(0);
