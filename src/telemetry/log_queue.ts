// Queues lines until they are stored: bounds them, and masks consecutive lines of a call as one text.

import type { FunctionId, KeyId } from "../ids.ts";
import { droppedMessage } from "../sandbox/host/output_limiter.ts";
import type { Level } from "./log.ts";
import type { DisclosedSecrets, Masking } from "../masking/masking.ts";

/**
 * What happened: a handler printed or asked for a secret, lines were dropped, a call began, ended or failed, a response
 * contained secrets, or the server made an error.
 */
export type LogEvent = "print" | "secret" | "dropped" | "exec_start" | "exec_end" | "exec_reject" | "leak" | "error";

/** Events whose messages contain no text of the handler. */
const SERVER_EVENTS: readonly LogEvent[] = ["dropped", "exec_end", "leak"];

export interface NewLogEntry {
  readonly functionId: FunctionId;
  /** Null for lines that are printed outside of any call. */
  readonly requestId: string | null;
  /** The API key that admitted the call, if one did. */
  readonly keyId?: KeyId | null | undefined;
  readonly level: Level;
  readonly event: LogEvent;
  /** As it was printed. Secrets are masked before it is stored or shown. */
  readonly message: string;
  readonly durationMs?: number | undefined;
  /** The secrets of the call. Without it, secrets that were disclosed to the function lately are masked. */
  readonly disclosed?: DisclosedSecrets | undefined;
}

export interface QueuedEntry extends NewLogEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** The limit for one function: more lines would displace each other before anyone could read them. */
const LINES_PER_SECOND = 1_000;
/** Lines and bytes that may wait to be stored. Others are counted and dropped. */
const LINES_MAX = 5_000;
const BYTES_MAX = 4 << 20;
/** Memory of a line in addition to its text. */
const LINE_BYTES = 200;
/** Text that is masked at once, so that even the most expensive text takes only some milliseconds. */
const TAKEN_MAX_LENGTH = 128 * 1024;
const DROPPED_INTERVAL_MS = 1_000;
/** Calls whose last line may end with the beginning of a value, and the length of these ends together. */
const PARTIAL_MATCHES_MAX = 1_000;
const PARTIAL_MAX_LENGTH = 1 << 20;

export class LogQueue {
  readonly #masking: Masking;
  #waiting: QueuedEntry[] = [];
  /** Entries that were taken once, but may end with the beginning of a value; the oldest first. */
  #pending: QueuedEntry[] = [];
  #bytes = 0;
  /** Lines of each function in the second that began at `#secondAt`. */
  readonly #thisSecond = new Map<FunctionId, number>();
  #secondAt = 0;
  #dropped = new Map<FunctionId, { lines: number; bytes: number }>();
  #droppedSince = 0;
  /** By call: the end of what it printed, if a value may begin there. */
  readonly #partialMatches = new Map<string, string>();
  #partialLength = 0;

  constructor(masking: Masking) {
    this.#masking = masking;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** When the oldest entry was added; undefined if there is none. */
  get oldestAt(): number | undefined {
    return this.#pending[0]?.at ?? this.#waiting[0]?.at;
  }

  push(entry: QueuedEntry): void {
    const bytes = entry.message.length + LINE_BYTES;
    const isFull = this.#waiting.length + this.#pending.length >= LINES_MAX || this.#bytes + bytes > BYTES_MAX;
    if (isFull || this.#isTooFast(entry)) {
      if (this.#dropped.size === 0) this.#droppedSince = entry.at;
      const dropped = this.#dropped.get(entry.functionId) ?? { lines: 0, bytes: 0 };
      dropped.lines++;
      dropped.bytes += entry.message.length;
      this.#dropped.set(entry.functionId, dropped);
      return;
    }
    this.#bytes += bytes;
    this.#waiting.push(entry);
    // The entry may be masked after its call has ended.
    if (entry.disclosed) this.#masking.hold(entry.disclosed);
  }

  /** Releases the secrets of entries that leave the queue. */
  #release(entries: readonly QueuedEntry[]): void {
    for (const { disclosed } of entries) if (disclosed) this.#masking.release(disclosed);
  }

  #isTooFast({ functionId, at }: QueuedEntry): boolean {
    if (at - this.#secondAt >= 1_000) {
      this.#secondAt = at;
      this.#thisSecond.clear();
    }
    const lines = (this.#thisSecond.get(functionId) ?? 0) + 1;
    this.#thisSecond.set(functionId, lines);
    return lines > LINES_PER_SECOND;
  }

  /**
   * Returns the next entries, masked: `count` of them, or fewer if they are long. Entries newer than `pendingSince`
   * that may end with the beginning of a value stay until next time, so that the whole value is found.
   */
  take(count: number, now: number, pendingSince: number): QueuedEntry[] {
    const entries = [...this.#pending, ...this.#waiting.splice(0, this.#fitting(count))];
    const masked = new Map<QueuedEntry, string>();
    for (const [call, lines] of Map.groupBy(entries, callOf)) {
      for (const [entry, text] of this.#mask(call, lines, pendingSince)) masked.set(entry, text);
    }
    this.#pending = entries.filter((entry) => !masked.has(entry));
    const taken = entries.filter((entry) => masked.has(entry));
    for (const { message } of taken) this.#bytes -= message.length + LINE_BYTES;
    this.#release(taken);
    return [...taken.map((entry) => ({ ...entry, message: masked.get(entry)! })), ...this.#takeDropped(now)];
  }

  /** Returns how many of the waiting entries may be taken, at least one. */
  #fitting(count: number): number {
    let [entries, length] = [0, 0];
    for (const { message } of this.#waiting) {
      length += message.length;
      if (entries === count || (entries > 0 && length > TAKEN_MAX_LENGTH)) break;
      entries++;
    }
    return entries;
  }

  /** Drops the entries of a function. */
  discard(functionId: FunctionId): void {
    const isOther = (entry: QueuedEntry) => entry.functionId !== functionId;
    this.#release([...this.#waiting, ...this.#pending].filter((entry) => !isOther(entry)));
    this.#waiting = this.#waiting.filter(isOther);
    this.#pending = this.#pending.filter(isOther);
    this.#bytes = [...this.#waiting, ...this.#pending].reduce(
      (sum, { message }) => sum + message.length + LINE_BYTES,
      0,
    );
    this.#dropped.delete(functionId);
  }

  /** Returns the masked messages of a call's entries, without those that stay pending. */
  #mask(call: string, lines: readonly QueuedEntry[], pendingSince: number): Map<QueuedEntry, string> {
    const masked = new Map<QueuedEntry, string>();
    const { functionId } = lines[0]!;
    const disclosed = lines.findLast((line) => line.disclosed)?.disclosed;
    // Messages of the server are not part of what the call prints.
    for (const line of lines) {
      if (line.event === "print") continue;
      const isOurs = SERVER_EVENTS.includes(line.event);
      masked.set(line, isOurs ? line.message : this.#masking.mask(functionId, line.message, disclosed));
    }
    const printed = lines.filter(({ event }) => event === "print");
    if (printed.length === 0) return masked;
    const before = this.#partialMatches.get(call) ?? "";
    const { texts, openFrom, open } = this.#masking.maskPieces(
      functionId,
      disclosed,
      before,
      printed.map(({ message }) => message),
    );
    printed.forEach((line, index) => masked.set(line, texts[index]!));
    const first = printed[Math.max(openFrom, 0)];
    if (first === undefined || first.at <= pendingSince) {
      this.#keepPartialMatch(call, open);
      return masked;
    }
    if (openFrom >= 0) this.#keepPartialMatch(call, "");
    // Keeps all later entries of the call as well, so that they stay in order.
    for (const line of lines.slice(lines.indexOf(first))) masked.delete(line);
    return masked;
  }

  #keepPartialMatch(call: string, end: string): void {
    this.#partialLength += end.length - (this.#partialMatches.get(call)?.length ?? 0);
    this.#partialMatches.delete(call);
    if (end !== "") this.#partialMatches.set(call, end);
    for (const [oldest, text] of this.#partialMatches) {
      if (this.#partialMatches.size <= PARTIAL_MATCHES_MAX && this.#partialLength <= PARTIAL_MAX_LENGTH) break;
      this.#partialMatches.delete(oldest);
      this.#partialLength -= text.length;
    }
  }

  /** Emits the drop counts once the queue is empty, or every second under sustained load. */
  #takeDropped(at: number): QueuedEntry[] {
    if (this.#waiting.length > 0 && at - this.#droppedSince < DROPPED_INTERVAL_MS) return [];
    const dropped = [...this.#dropped];
    this.#dropped = new Map();
    return dropped.map(([functionId, { lines, bytes }]) => ({
      functionId,
      requestId: null,
      level: "warn",
      event: "dropped",
      message: droppedMessage(lines, bytes),
      at,
    }));
  }
}

function callOf({ functionId, requestId }: QueuedEntry): string {
  return `${functionId} ${requestId ?? ""}`;
}
