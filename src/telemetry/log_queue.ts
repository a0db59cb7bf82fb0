// Lines on their way into the database: bounded, and masked over all that one call prints in a row.

import type { FunctionId } from "../ids.ts";
import type { Level } from "./log.ts";
import type { DisclosedSecrets, Masking } from "../masking/masking.ts";

/**
 * What happened: a handler printed, lines were left out, a call began, ended or failed, a response held secrets,
 * the server failed the handler.
 */
export type LogEvent = "print" | "dropped" | "exec_start" | "exec_end" | "exec_reject" | "leak" | "error";

/** Events whose messages hold nothing of the handler's. */
const OUR_WORDS: readonly LogEvent[] = ["dropped", "exec_end", "leak"];

export interface NewLogEntry {
  readonly functionId: FunctionId;
  /** Null for what is printed outside of any call. */
  readonly requestId: string | null;
  readonly level: Level;
  readonly event: LogEvent;
  /** As it was printed; values that the call was given are masked before it is stored or shown. */
  readonly message: string;
  readonly durationMs?: number | undefined;
  /** What the call was given; without it, what the function was given lately is masked. */
  readonly disclosed?: DisclosedSecrets | undefined;
}

export interface QueuedEntry extends NewLogEntry {
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Of one function's; more would crowd each other out before anybody could read them. */
const LINES_PER_SECOND = 1_000;
/** Lines and bytes that may wait to be stored; what is more is counted and dropped. */
const LINES_MAX = 5_000;
const BYTES_MAX = 4 << 20;
/** What a line takes beside its text. */
const LINE_BYTES = 200;
/** Of texts that are masked in one go, so that even the costliest take some milliseconds; the rest is taken next. */
const TAKEN_MAX_LENGTH = 128 * 1024;
const DROPPED_INTERVAL_MS = 1_000;
/** Calls whose last print may be the beginning of a value, and what is kept of such ends. */
const OPEN_MAX = 1_000;
const OPEN_MAX_LENGTH = 1 << 20;

export class LogQueue {
  readonly #masking: Masking;
  #waiting: QueuedEntry[] = [];
  /** Taken once already, but they may end in the beginning of a value: the oldest first. */
  #held: QueuedEntry[] = [];
  #bytes = 0;
  /** Lines of each function in the second that began at `#secondAt`. */
  readonly #thisSecond = new Map<FunctionId, number>();
  #secondAt = 0;
  #dropped = new Map<FunctionId, { lines: number; bytes: number }>();
  #droppedSince = 0;
  /** The end of what a call has printed, if a value may begin there. */
  readonly #open = new Map<string, string>();
  #openLength = 0;

  constructor(masking: Masking) {
    this.#masking = masking;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** When the oldest entry came; undefined if there is none. */
  get oldestAt(): number | undefined {
    return this.#held[0]?.at ?? this.#waiting[0]?.at;
  }

  push(entry: QueuedEntry): void {
    const bytes = entry.message.length + LINE_BYTES;
    const isFull = this.#waiting.length + this.#held.length >= LINES_MAX || this.#bytes + bytes > BYTES_MAX;
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
    // It is masked after its call has ended.
    if (entry.disclosed) this.#masking.hold(entry.disclosed);
  }

  /** Entries leave the queue. */
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
   * The next entries, masked: `count` of them, or fewer if they are long. Those from after `heldSince` whose end may be the beginning of a value stay for the
   * next time, so that it is found whole.
   */
  take(count: number, now: number, heldSince: number): QueuedEntry[] {
    const entries = [...this.#held, ...this.#waiting.splice(0, this.#fitting(count))];
    const masked = new Map<QueuedEntry, string>();
    const held = new Set<QueuedEntry>();
    for (const [call, lines] of Map.groupBy(entries, callOf)) this.#mask(call, lines, heldSince, masked, held);
    this.#held = entries.filter((entry) => held.has(entry));
    const taken = entries.filter((entry) => !held.has(entry));
    for (const { message } of taken) this.#bytes -= message.length + LINE_BYTES;
    this.#release(taken);
    return [...taken.map((entry) => ({ ...entry, message: masked.get(entry)! })), ...this.#takeDropped(now)];
  }

  /** How many of the entries that wait may be taken, one at least. */
  #fitting(count: number): number {
    let [entries, length] = [0, 0];
    for (const { message } of this.#waiting) {
      length += message.length;
      if (entries === count || (entries > 0 && length > TAKEN_MAX_LENGTH)) break;
      entries++;
    }
    return entries;
  }

  /** Forgets what a function's calls have printed. */
  discard(functionId: FunctionId): void {
    const isOther = (entry: QueuedEntry) => entry.functionId !== functionId;
    this.#release([...this.#waiting, ...this.#held].filter((entry) => !isOther(entry)));
    this.#waiting = this.#waiting.filter(isOther);
    this.#held = this.#held.filter(isOther);
    this.#bytes = [...this.#waiting, ...this.#held].reduce((sum, { message }) => sum + message.length + LINE_BYTES, 0);
    this.#dropped.delete(functionId);
  }

  #mask(
    call: string,
    lines: readonly QueuedEntry[],
    heldSince: number,
    masked: Map<QueuedEntry, string>,
    held: Set<QueuedEntry>,
  ): void {
    const { functionId } = lines[0]!;
    const disclosed = lines.findLast((line) => line.disclosed)?.disclosed;
    // What the server says of a call is no part of what the call prints.
    for (const line of lines) {
      if (line.event === "print") continue;
      const isOurs = OUR_WORDS.includes(line.event);
      masked.set(line, isOurs ? line.message : this.#masking.mask(functionId, line.message, disclosed));
    }
    const printed = lines.filter(({ event }) => event === "print");
    if (printed.length === 0) return;
    const before = this.#open.get(call) ?? "";
    const { texts, openFrom, open } = this.#masking.maskPieces(
      functionId,
      disclosed,
      before,
      printed.map(({ message }) => message),
    );
    printed.forEach((line, index) => masked.set(line, texts[index]!));
    const first = printed[Math.max(openFrom, 0)];
    if (first === undefined || first.at <= heldSince) return this.#keepOpen(call, open);
    if (openFrom >= 0) this.#keepOpen(call, "");
    // All that the call wrote from there on, so that it stays in order.
    for (const line of lines.slice(lines.indexOf(first))) held.add(line);
  }

  #keepOpen(call: string, end: string): void {
    this.#openLength += end.length - (this.#open.get(call)?.length ?? 0);
    this.#open.delete(call);
    if (end !== "") this.#open.set(call, end);
    for (const [oldest, text] of this.#open) {
      if (this.#open.size <= OPEN_MAX && this.#openLength <= OPEN_MAX_LENGTH) break;
      this.#open.delete(oldest);
      this.#openLength -= text.length;
    }
  }

  /** After what came before it, but in a flood without end every second. */
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

/** What is said instead of lines that were left out. */
export function droppedMessage(lines: number, bytes: number): string {
  return `${lines} lines of ${bytes} bytes in all were too many and are not kept.`;
}

function callOf({ functionId, requestId }: QueuedEntry): string {
  return `${functionId} ${requestId ?? ""}`;
}
