// Checks whether a module can be loaded, by loading it once in a separate sandbox process without network access.
// There is no call, so the module cannot ask for secrets.

import { createHash } from "node:crypto";
import { relative } from "node:path";
import { reasonOf } from "../../errors.ts";
import { Budget, Queues } from "../../sandbox/host/budget.ts";
import type { CallFailure } from "../../sandbox/host/failure.ts";
import type { Code, ProcessOptions } from "../../sandbox/process/process.ts";
import { Sandbox } from "../../sandbox/host/sandbox.ts";
import { slices } from "../../slices.ts";
import { oneLine } from "../../text.ts";

/**
 * `loads`: it is a handler; `no-handler`: its default export is not one; `failed`: it threw, or ended its process;
 * `network`: it failed because network access was denied; `late`: unknown, because it took or waited too long;
 * `unchecked`: unknown, because this app checks nothing.
 */
export type LoadOutcome =
  | { readonly kind: "loads" | "unchecked" }
  | { readonly kind: "no-handler" | "failed" | "network" | "late"; readonly text: string };

export interface LoadChecksOptions {
  readonly process: ProcessOptions;
  /** How long a module may load, and how long a check may wait for its turn, in milliseconds. */
  readonly limitMs: () => number;
}

/** Concurrent checks: loading occupies a processor, and calls need processors, too. */
const AT_ONCE = 2;
const KEPT_MAX = 1_000;
/** Amounts to a few milliseconds of work. */
const HASHED_AT_ONCE_BYTES = 1 << 20;
const TEXT_MAX_LENGTH = 500;
/** How often the memory of the process is measured. */
const TICK_MS = 100;
/** The worker's message for a module whose default export cannot answer calls. */
const NO_HANDLER = /^TypeError: The (?:handler|module) has no default export/;
/** Messages of Deno, its Node modules and the workers for a denied connection. */
const NETWORK =
  /Requires net access|permissions\.net|\b(?:connect|getaddrinfo|query[A-Z]\w*) (?:E[A-Z]{3,}|UNKNOWN|not implemented)/;

export interface LoadChecker {
  /**
   * Loads the first of `code.files`, which are below `codeDir`; by default, this is the code folder. Outcomes are cached
   * for the same contents, packages and limits, wherever the folder is.
   */
  check(code: Code, codeDir?: string): Promise<LoadOutcome>;
}

/** For an app that does not check whether code loads. */
export const NO_LOAD_CHECKS: LoadChecker = { check: () => Promise.resolve({ kind: "unchecked" }) };

export class LoadChecks implements LoadChecker {
  readonly #options: LoadChecksOptions;
  /** Outcomes by what was loaded, oldest first. Only outcomes that would be the same again. */
  readonly #kept = new Map<string, LoadOutcome>();
  readonly #underWay = new Map<string, Promise<LoadOutcome>>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(options: LoadChecksOptions) {
    this.#options = options;
  }

  async check(code: Code, codeDir = this.#options.process.codeDir): Promise<LoadOutcome> {
    const offline: Code = { ...code, net: false };
    const key = await hashOf(offline, codeDir);
    const kept = this.#kept.get(key);
    if (kept) return kept;
    let run = this.#underWay.get(key);
    if (!run) {
      run = this.#inTurn(offline, codeDir).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, run);
    }
    const outcome = await run;
    if (outcome.kind !== "late") this.#keep(key, outcome);
    return outcome;
  }

  #keep(key: string, outcome: LoadOutcome): void {
    this.#kept.delete(key);
    this.#kept.set(key, outcome);
    if (this.#kept.size > KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value!);
  }

  async #inTurn(code: Code, codeDir: string): Promise<LoadOutcome> {
    if (this.#running < AT_ONCE) this.#running++;
    else if (!await this.#turn()) return { kind: "late", text: "Too many other modules are being checked." };
    try {
      return await this.#load(code, codeDir);
    } catch (error) {
      // Such as for a full disk: the module may load nevertheless.
      return { kind: "late", text: `No process could be started: ${reasonOf(error)}.` };
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  /** Takes a slot; returns false if none became free in time. */
  #turn(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(free), 1);
        resolve(false);
      }, this.#options.limitMs());
      const free = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      this.#waiting.push(free);
    });
  }

  async #load(code: Code, codeDir: string): Promise<LoadOutcome> {
    const limitMs = this.#options.limitMs();
    const { promise, resolve } = Promise.withResolvers<LoadOutcome>();
    const sandbox = new Sandbox<never>({
      code,
      route: { name: "", description: "", handler: "", route: "/", methods: [], keys: [] },
      spare: undefined,
      process: { ...this.#options.process, codeDir },
      // There is no call, so there are no questions.
      answerer: { answer: () => undefined, prefetch: () => undefined },
      held: new Budget(() => 0),
      queues: new Queues(),
      limits: () => ({ timeoutMs: limitMs, maxCalls: 0 }),
      onLog() {},
      onReady: () => resolve({ kind: "loads" }),
      onIdle() {},
      onOver: (failure) => resolve(outcomeOf(failure)),
      onEnd() {},
    });
    const ticking = setInterval(() => sandbox.tick(performance.now()), TICK_MS);
    const late = setTimeout(
      () => resolve({ kind: "late", text: `It did not finish loading in ${limitMs} ms.` }),
      limitMs,
    );
    try {
      return await promise;
    } finally {
      clearTimeout(late);
      clearInterval(ticking);
      sandbox.stop("Its check is over.");
      await sandbox.ended;
    }
  }
}

function outcomeOf({ kind, message }: CallFailure): LoadOutcome {
  if (kind === "load-failed" && NO_HANDLER.test(message)) return { kind: "no-handler", text: summary(message) };
  return { kind: kind === "load-failed" && NETWORK.test(message) ? "network" : "failed", text: summary(message) };
}

/** Returns the message of a printed error, and the first location in the code folder in its stack. */
function summary(printed: string): string {
  const lines = printed.split("\n");
  const end = lines.findIndex((line) => /^\s+at /.test(line));
  const message = lines.slice(0, end === -1 ? undefined : end).join(" ").replace(/\s+/g, " ").trim();
  // Paths in the code folder are already relative; all others are URLs.
  const place = /^\s+at (?:.* \()?((?![a-z]+:)[^\s():][^\s()]*:\d+:\d+)\)?$/m.exec(printed)?.[1];
  const short = message.length > TEXT_MAX_LENGTH ? `${message.slice(0, TEXT_MAX_LENGTH)}…` : message;
  return oneLine(place === undefined || short.includes(place) ? short : `${short} (${place})`);
}

/** Returns a hash of everything that the outcome depends on. */
async function hashOf({ files, sources: _, ...rest }: Code, codeDir: string): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify(rest));
  const pause = slices();
  for (const path of files) {
    const content = await Deno.readFile(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    });
    hash.update(JSON.stringify([relative(codeDir, path), content?.length ?? null]));
    for (let at = 0; content && at < content.length; at += HASHED_AT_ONCE_BYTES) {
      await pause();
      hash.update(content.subarray(at, at + HASHED_AT_ONCE_BYTES));
    }
  }
  return hash.digest("hex");
}
