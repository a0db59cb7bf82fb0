// The egress process: sends requests with sealed values as the server alone says. It runs no code of handlers and holds
// no keys. Its only argument is the path of the server's socket.

import { BUSY_CALLS, FrameWriter, readFrames } from "../../sandbox/wire/protocol.ts";
import type { SealedEntry } from "../../sealed.ts";
import { type FailedPayload, FromEgress, type RequestPayload, ToEgress, type UsedPayload } from "../wire.ts";
import { Addresses } from "./addresses.ts";
import { Exchange } from "./exchange.ts";
import { Lane } from "./lane.ts";
import { Masker } from "./masker.ts";

const TOKEN_BYTES = 32;
/** Maskers that are kept for the next calls that are given the same values, and for how long without a request. */
const MASKERS_MAX = 32;
const MASKERS_MS = 10_000;

const exchanges = new Map<number, Exchange>();
const lanes = new Map<number, { readonly lane: Lane; closed: readonly string[] }>();
/** By names and values, the last used last. */
const maskers = new Map<string, Masker>();
let maskersUsedAt = 0;
const addresses = new Addresses();
let forgetting: ReturnType<typeof setTimeout> | undefined;

function openLane(id: number, closed: readonly string[]): void {
  const open = lanes.get(id);
  if (open) open.closed = closed;
  else lanes.set(id, { lane: new Lane(), closed });
}

function maskerOf(sealed: readonly SealedEntry[]): Masker {
  // Names have no line breaks.
  let key = "";
  for (const { name, value } of sealed) key += `${name}\n${value.length}\n${value}`;
  let masker = maskers.get(key);
  if (masker) maskers.delete(key);
  else masker = new Masker(sealed);
  maskers.set(key, masker);
  maskersUsedAt = performance.now();
  forgetting ??= setTimeout(forget, MASKERS_MS);
  if (maskers.size > MASKERS_MAX) maskers.delete(maskers.keys().next().value!);
  return masker;
}

/** Drops the maskers, and with them the values, some time after the last request. */
function forget(): void {
  const left = exchanges.size > 0 ? MASKERS_MS : maskersUsedAt + MASKERS_MS - performance.now();
  if (left <= 0) maskers.clear();
  forgetting = left <= 0 ? undefined : setTimeout(forget, Math.ceil(left));
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
  const { lane, closed } = lanes.get(request.lane)!;
  const exchange = new Exchange({
    request,
    body: body.slice(),
    addresses,
    lane,
    closed,
    masker: maskerOf(request.sealed),
    port: {
      head: (head, bytes) => writer.send(FromEgress.Head, id, JSON.stringify(head), bytes),
      piece: (bytes) => writer.send(FromEgress.Piece, id, "", bytes),
      end: () => writer.send(FromEgress.End, id),
      credit: (bytes) => writer.send(FromEgress.Credit, id, String(bytes)),
      used: (placeholder, use) =>
        writer.send(FromEgress.Used, id, JSON.stringify([placeholder, use] satisfies UsedPayload)),
      failed: (message, code) =>
        writer.send(FromEgress.Failed, id, JSON.stringify([message, code] satisfies FailedPayload)),
    },
  });
  exchanges.set(id, exchange);
  void exchange.run().finally(() => exchanges.delete(id));
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
    case ToEgress.OpenLane:
      openLane(id, JSON.parse(payload));
      break;
    case ToEgress.CloseLane:
      lanes.get(id)?.lane.close();
      lanes.delete(id);
      break;
  }
});
// The server is gone.
Deno.exit(0);
