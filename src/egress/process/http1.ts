// Reads responses in the form of HTTP/1.1 (RFC 9112), as strictly as `fetch` does: what could be read in two ways is
// refused, and a connection on which anything is in doubt is not used again.

import { Buffer } from "node:buffer";
import { HEADERS_MAX, HEADERS_MAX_LENGTH } from "../../sandbox/wire/protocol.ts";
import type { Connection } from "./connection.ts";

/** The response cannot be given to the handler. The message is for its author; `code` is one of Node's, or empty. */
export class Unreadable extends Error {
  readonly code: string;

  constructor(message: string, code = "") {
    super(message);
    this.code = code;
  }
}

/** The host closed the connection before it sent anything of a response. */
export class Unanswered extends Unreadable {}

export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  /** Names as the host wrote them, and values, alternating. */
  readonly headers: readonly string[];
  /** Whether another request may be sent on the connection once the body has ended. */
  readonly mayStay: boolean;
  /** How the end of the body is found: by its length, by chunks, or by the end of the connection. */
  readonly framing: number | "chunked" | "close";
}

/** Headers of a response, with its status line and line ends. */
const HEAD_MAX_BYTES = HEADERS_MAX_LENGTH + 4 * HEADERS_MAX + 1_024;
/** Responses before the final one, such as "103 Early Hints". */
const INTERIM_MAX = 20;
const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: ([\t\x20-\x7e\x80-\xff]*))?$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/;
/** The line that begins a chunk. */
const CHUNK_LINE = /^([0-9a-fA-F]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;
const CHUNK_LINE_MAX_BYTES = 4 * 1024;
const TRAILERS_MAX_BYTES = 16 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/** Reads the head of the final response. @throws Unreadable */
export async function readHead(connection: Connection, method: string): Promise<ResponseHead> {
  let hasBegun = false;
  for (let interim = 0; interim <= INTERIM_MAX; interim++) {
    let end: number;
    while ((end = headEnd(connection.unread)) === -1) {
      if (connection.unread.length > HEAD_MAX_BYTES) throw new Unreadable("The response has too many headers.");
      hasBegun ||= connection.unread.length > 0;
      if (!await connection.read()) throw brokenOff(hasBegun || interim > 0);
    }
    const head = parseHead(asText(connection.take(end)), method);
    if (head.status === 101) throw new Unreadable("The host switched to another protocol.");
    if (head.status >= 200) return head;
  }
  throw new Unreadable("The host sent no final response.");
}

function brokenOff(hasBegun: boolean): Unreadable {
  return hasBegun
    ? new Unreadable("The host closed the connection before its response was complete.", "ECONNRESET")
    : new Unanswered("The host closed the connection without a response.", "ECONNRESET");
}

/** Returns the number of bytes up to the empty line, that line included; -1 if it has not arrived. */
function headEnd(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

/** `text` ends with an empty line. @throws Unreadable */
function parseHead(text: string, method: string): ResponseHead {
  const [first, ...lines] = text.replace(/[\r\n]+$/, "").split(/\r?\n/);
  const [, minor, code, statusText = ""] = STATUS_LINE.exec(first!) ?? [];
  if (code === undefined) throw new Unreadable("The host did not answer with HTTP/1.1.");
  const headers: string[] = [];
  for (const line of lines) {
    // A line that continues the one before it begins with white space, and is none, either.
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined) throw new Unreadable("The response has a malformed header.");
    headers.push(name, value!.replace(/[\t ]+$/, ""));
  }
  const status = Number(code);
  const { framing, isClear } = framingOf(status, method, headers);
  const closes = valuesOf(headers, "connection").some((value) => /(?:^|,)\s*close\s*(?:,|$)/i.test(value));
  return { status, statusText, headers, framing, mayStay: minor === "1" && isClear && !closes };
}

/** RFC 9112 6.3. @throws Unreadable */
function framingOf(
  status: number,
  method: string,
  headers: readonly string[],
): { readonly framing: ResponseHead["framing"]; readonly isClear: boolean } {
  const codings = valuesOf(headers, "transfer-encoding");
  const lengths = new Set(valuesOf(headers, "content-length").flatMap((value) => value.split(/[\t ]*,[\t ]*/)));
  const [length] = lengths;
  if (lengths.size > 1 || (length !== undefined && !/^\d{1,15}$/.test(length))) {
    throw new Unreadable("The response announces more than one length.");
  }
  if (codings.length > 0 && codings.join().trim().toLowerCase() !== "chunked") {
    throw new Unreadable("The response is transferred in a way that is not supported.");
  }
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return { framing: 0, isClear: true };
  if (codings.length > 0) return { framing: "chunked", isClear: length === undefined };
  return length === undefined ? { framing: "close", isClear: false } : { framing: Number(length), isClear: true };
}

function valuesOf(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) =>
    i % 2 === 1 && headers[i - 1]!.length === name.length &&
    headers[i - 1]!.toLowerCase() === name
  );
}

/** The body of a response, as it arrives. */
export class ResponseBody {
  readonly #connection: Connection;
  readonly #framing: ResponseHead["framing"];
  /** Bytes that are left of the body, or of the chunk. */
  #left: number;
  #at: "size" | "data" | "end of data" | "trailers" = "size";
  #trailerBytes = 0;
  isOver = false;

  constructor(connection: Connection, { framing }: ResponseHead) {
    this.#connection = connection;
    this.#framing = framing;
    this.#left = typeof framing === "number" ? framing : 0;
    this.isOver = framing === 0;
  }

  /** Returns what has arrived, possibly nothing. Valid until more is read. @throws Unreadable */
  arrived(): Uint8Array {
    if (this.isOver) return NOTHING;
    if (this.#framing === "chunked") return this.#chunks();
    const { length } = this.#connection.unread;
    if (this.#framing === "close") return this.#connection.take(length);
    const piece = this.#connection.take(Math.min(length, this.#left));
    this.#left -= piece.length;
    this.isOver = this.#left === 0;
    return piece;
  }

  /** Waits until more has arrived, or the body is over. @throws Unreadable if it broke off */
  async more(): Promise<void> {
    if (this.isOver || await this.#connection.read()) return;
    if (this.#framing !== "close") throw brokenOff(true);
    this.isOver = true;
  }

  /** Yields the rest of the body. */
  async *pieces(): AsyncGenerator<Uint8Array> {
    while (true) {
      const piece = this.arrived();
      // A copy, as more is read into the same memory.
      if (piece.length > 0) yield piece.slice();
      if (this.isOver) return;
      await this.more();
    }
  }

  /** Takes the data of all chunks that have arrived. */
  #chunks(): Uint8Array {
    const pieces: Uint8Array[] = [];
    while (true) {
      if (this.#at === "data") {
        const piece = this.#connection.take(Math.min(this.#connection.unread.length, this.#left));
        this.#left -= piece.length;
        if (piece.length > 0) pieces.push(piece);
        if (this.#left > 0) break;
        this.#at = "end of data";
      }
      const line = this.#line();
      if (line === undefined || this.#ended(line)) break;
    }
    return pieces.length === 1 ? pieces[0]! : pieces.length === 0 ? NOTHING : Buffer.concat(pieces);
  }

  /** Handles a line between chunks. Returns whether it is the last one. @throws Unreadable */
  #ended(line: string): boolean {
    const damaged = new Unreadable("The chunks of the response are damaged.");
    switch (this.#at) {
      case "end of data":
        if (line !== "") throw damaged;
        this.#at = "size";
        return false;
      case "size": {
        const [, size] = CHUNK_LINE.exec(line) ?? [];
        if (size === undefined) throw damaged;
        this.#left = parseInt(size, 16);
        this.#at = this.#left === 0 ? "trailers" : "data";
        return false;
      }
      default:
        // What they say is of no use to `fetch`.
        this.#trailerBytes += line.length;
        if (this.#trailerBytes > TRAILERS_MAX_BYTES) throw damaged;
        return this.isOver = line === "";
    }
  }

  /** Takes a line, without its end; undefined if it has not arrived. */
  #line(): string | undefined {
    const { unread } = this.#connection;
    const end = unread.indexOf(LF);
    if (end > CHUNK_LINE_MAX_BYTES || (end === -1 && unread.length > CHUNK_LINE_MAX_BYTES)) {
      throw new Unreadable("The chunks of the response are damaged.");
    }
    return end === -1 ? undefined : asText(this.#connection.take(end + 1)).replace(/\r?\n$/, "");
  }
}

const NOTHING = new Uint8Array(0);

/** One character for each byte. */
function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
