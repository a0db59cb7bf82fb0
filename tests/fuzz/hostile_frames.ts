// Frames as a process sends them that was taken over by its author: right ones at the wrong time, right ones
// with something changed, and garbage.

import {
  BodyMode,
  CHUNK_MAX_BYTES,
  FRAME_MAX_BYTES,
  RECORD_TYPES,
  ToHost,
  WINDOW_BYTES,
} from "../../src/sandbox/wire/protocol.ts";
import type { Random } from "./random.ts";

const HEADER_BYTES = 9;
const PAYLOAD_LENGTH_BYTES = 4;
const LAST_ID = 0xffff_ffff;
const encoder = new TextEncoder();

export interface HostileFrame {
  readonly type: number;
  readonly id: number;
  readonly payload: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A frame laid out as the protocol says, whatever it says. */
export function encode(type: number, id: number, payload: string | Uint8Array, body = new Uint8Array(0)): HostileFrame {
  const metaBytes = typeof payload === "string" ? encoder.encode(payload) : payload;
  const bytes = new Uint8Array(HEADER_BYTES + PAYLOAD_LENGTH_BYTES + metaBytes.length + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, PAYLOAD_LENGTH_BYTES + metaBytes.length + body.length, true);
  bytes[4] = type;
  view.setUint32(5, id, true);
  view.setUint32(HEADER_BYTES, metaBytes.length, true);
  bytes.set(metaBytes, HEADER_BYTES + PAYLOAD_LENGTH_BYTES);
  bytes.set(body, HEADER_BYTES + PAYLOAD_LENGTH_BYTES + metaBytes.length);
  return { type, id, payload: typeof payload === "string" ? payload : "", bytes };
}

/** `open`: ids of the calls that the process has been given. */
export function hostileFrame(random: Random, open: readonly number[]): HostileFrame {
  const id = idFor(random, open);
  const frame = random.chance(0.9) ? sensible(random, id) : nonsense(random, id);
  return random.chance(0.1) ? damaged(random, frame) : frame;
}

function idFor(random: Random, open: readonly number[]): number {
  if (open.length > 0 && random.chance(0.8)) return random.pick(open);
  return random.pick([0, 1, 2, LAST_ID, LAST_ID - 1, random.int(0, LAST_ID), (open.at(-1) ?? 0) + 1]);
}

function sensible(random: Random, id: number): HostileFrame {
  const type = random.pick(Object.values(ToHost));
  switch (type) {
    case ToHost.Ready:
    case ToHost.Pong:
      // Ready is right once: too many of them would end each process before it has done anything.
      return encode(random.chance(0.9) ? ToHost.Pong : type, id, random.chance(0.9) ? "" : text(random));
    case ToHost.RevokeAck:
      return encode(type, id, random.pick(["", "1", "2", String(LAST_ID), "-1", text(random)]));
    case ToHost.LoadFailed:
      return random.chance(0.2) ? encode(type, id, text(random)) : encode(ToHost.Pong, 0, "");
    case ToHost.Response:
      return encode(type, id, responseMeta(random), piece(random));
    case ToHost.Chunk:
      return encode(type, id, "", piece(random));
    case ToHost.ChunkEnd:
      return encode(type, id, "");
    case ToHost.Failed:
      return encode(type, id, text(random));
    case ToHost.Ask:
      return encode(type, id, askMeta(random));
    case ToHost.Log:
      return encode(type, id, mostly(random, [random.pick(["debug", "info", "warn", "error"]), text(random)]));
    case ToHost.Background:
      return encode(type, id, random.chance(0.9) ? "" : text(random));
    case ToHost.Settled:
      return encode(type, id, random.pick(["ok", "ok", "ok", "error", "", text(random)]));
    case ToHost.Lookup:
      return encode(type, random.chance(0.5) ? 0 : id, lookupMeta(random));
    case ToHost.Fetch:
      return encode(type, id, fetchMeta(random), piece(random));
    case ToHost.FetchBody:
      return encode(type, id, fetchNumbers(random), piece(random));
    case ToHost.FetchBodyEnd:
    case ToHost.FetchCredit:
    case ToHost.FetchAbort:
      return encode(type, id, fetchNumbers(random));
    case ToHost.Elsewhere:
      return encode(
        type,
        id,
        mostly(random, [random.pick(["sealed_KEY_x", 1, ""]), random.pick(["a.example:1", "A B", null])]),
      );
    case ToHost.Dropped:
      return encode(type, id, mostly(random, [random.int(0, 1_000), random.pick([0, 1, 2 ** 53 - 1])]));
    case ToHost.Credit:
      return encode(type, id, random.chance(0.7) ? String(random.int(1, WINDOW_BYTES)) : random.pick(ODD_NUMBERS));
  }
}

const ODD_NUMBERS = ["", "0", "-1", "NaN", "1e308", "Infinity", "0x10", " 7 ", "9007199254740993", "1.5", "[1]", "١"];
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  1e400,
  "",
  "x",
  [],
  {},
  [[]],
  { length: 2 },
  2 ** 53,
  "\0",
];
const ODD_TEXTS = ["", "\0", "\ud800", "\udfff\ud800", "‮", "\r\nSet-Cookie: a=b", "__proto__", "constructor", "a\nb"];

function text(random: Random): string {
  if (random.chance(0.3)) return random.pick(ODD_TEXTS);
  return random.pick(["x", "é", "\u{1f600}", "\u0001"]).repeat(random.chance(0.02) ? 100_000 : random.int(0, 300));
}

function responseMeta(random: Random): string {
  const status = random.chance(0.8)
    ? random.pick([200, 201, 204, 304, 404, 500])
    : random.pick([0, 99, 100, 101, 199, 600, 999, -1]);
  const count = random.chance(0.02) ? random.int(1_000, 60_000) : random.int(0, 5);
  const headers: unknown[] = [];
  for (let n = 0; n < count; n++) headers.push(headerName(random, n), random.chance(0.9) ? `v${n}` : text(random));
  if (random.chance(0.03)) headers.push(random.pick(ODD_VALUES));
  const mode = random.pick([...Object.values(BodyMode), BodyMode.Stream]);
  return mostly(random, [status, headers, mode, random.pick([0, 0, 1, 3, -1, LAST_ID])]);
}

function fetchMeta(random: Random): string {
  const url = random.chance(0.8) ? "http://127.0.0.1:9/" : text(random);
  const headers = random.chance(0.9) ? [headerName(random, 1), text(random)] : random.pick(ODD_VALUES);
  const mode = random.pick(Object.values(BodyMode));
  const length = random.chance(0.9) ? null : random.pick([0, 1, -1, 2 ** 53]);
  return mostly(random, [random.int(1, 5), random.pick(["GET", "POST", text(random)]), url, headers, mode, length]);
}

function fetchNumbers(random: Random): string {
  return mostly(random, random.chance(0.5) ? [random.int(1, 5)] : [random.int(1, 5), random.int(1, WINDOW_BYTES)]);
}

function headerName(random: Random, n: number): string {
  if (random.chance(0.95)) return `x-h${n}`;
  return random.pick([
    "",
    "x y",
    "transfer-encoding",
    "content-length",
    "set-cookie",
    "x-request-id",
    ":status",
    text(random),
  ]);
}

function askMeta(random: Random): string {
  const name = random.chance(0.7) ? random.pick(["A", "BIG"]) : text(random);
  const scope = random.chance(0.7)
    ? null
    : random.pick(["key", "group", "function", "global", "__proto__", text(random)]);
  return mostly(random, [random.int(0, 5), random.pick(["get", "previous", "versions", "complete"]), name, scope]);
}

/** `localhost` is what the functions list; it is resolved without a name server. */
function lookupMeta(random: Random): string {
  const name = random.chance(0.7)
    ? random.pick(["localhost", "LOCALHOST.", "_mongodb._tcp.localhost", "_a._b.localhost", "x.localhost", "127.0.0.1"])
    : text(random);
  return mostly(random, [random.int(0, 5), random.pick([...RECORD_TYPES, "ANY", "__proto__"]), name]);
}

/** JSON of `values`, now and then with one of them replaced, or cut off, or wrapped. */
function mostly(random: Random, values: unknown[]): string {
  if (random.chance(0.05)) values = values.with(random.int(0, values.length - 1), random.pick(ODD_VALUES));
  const json = JSON.stringify(values);
  if (random.chance(0.97)) return json;
  return random.pick([
    json.slice(0, random.int(0, json.length)),
    `{"0":${json}}`,
    "[".repeat(random.int(1, 200_000)),
    `${"[".repeat(50_000)}${"]".repeat(50_000)}`,
    "null",
    json + json,
  ]);
}

function piece(random: Random): Uint8Array<ArrayBuffer> {
  const length = random.chance(0.8)
    ? random.pick([0, 0, 1, random.int(2, 2_000)])
    : random.pick([CHUNK_MAX_BYTES, WINDOW_BYTES, WINDOW_BYTES + 1, FRAME_MAX_BYTES - 1_000]);
  return new Uint8Array(length);
}

function nonsense(random: Random, id: number): HostileFrame {
  return encode(random.int(0, 255), id, random.bytes(random.int(0, 40)), random.bytes(random.int(0, 40)));
}

/** One byte or the end of a frame is not what it was. */
function damaged(random: Random, frame: HostileFrame): HostileFrame {
  const bytes = frame.bytes.slice(0, random.chance(0.3) ? random.int(1, frame.bytes.length) : undefined);
  bytes[random.int(0, Math.min(bytes.length - 1, 60))] = random.int(0, 255);
  return { ...frame, bytes };
}
