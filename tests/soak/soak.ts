// A real server under mixed load for a while: every answer is checked, and what memory it takes.

import { type Random, seeded } from "../fuzz/random.ts";
import { type Server, startServer } from "../http/server.ts";
import { anyCallForSecrets, callCounter, callEcho, callForSecrets, callPrinter } from "./calls.ts";
import { type Sample, sample, typical } from "./memory.ts";
import {
  addKey,
  changeCell,
  editCode,
  expect,
  makeWorld,
  NAMES,
  revokeKey,
  type SecretsFunction,
  type World,
} from "./world.ts";

const CALLS_PER_SECOND = 100;
/** Calls under way; with more, no further one is begun. */
const CALLS_MAX = 64;
const SECRETS_EVERY_MS = 200;
const EDIT_EVERY_MS = 1_000;
const KEY_EVERY_MS = 2_000;
/** Keys that came after the lasting ones. */
const PASSING_KEYS_MAX = 3;
const ROTATION_EVERY_MS = 120_000;
const ROTATION_SOON_MS = 2_000;
const SAMPLE_EVERY_MS = 1_000;
/** Memory is compared between two spans of this length, the first of which begins after the first minute. */
const SPAN_MS = 60_000;
/** Below, there is no second span to compare. */
const MEMORY_FROM_MS = 120_000;
const GROWTH_MAX = 0.1;
const COMPLAINTS_SHOWN = 20;

export interface SoakReport {
  readonly calls: number;
  readonly secretsChanged: number;
  readonly codeEdited: number;
  readonly keysRevoked: number;
  readonly rotations: number;
  /** Wrong answers and failed calls: the first ones, and how many there were. */
  readonly complaints: readonly string[];
  readonly wrong: number;
  /** How much more memory at the end than after the first minute, as a part of that; undefined if it was too short. */
  readonly growth: number | undefined;
  readonly missed: readonly string[];
}

export type Counts = Pick<
  SoakReport,
  "calls" | "secretsChanged" | "codeEdited" | "keysRevoked" | "rotations"
>;

export interface SoakOptions {
  readonly durationMs: number;
  /** Is given a line about each minute. */
  readonly print?: (line: string) => void;
  /** Ends before `durationMs` once all of these are reached, which takes longer on a busy machine. */
  readonly enough?: Counts;
}

/** Loads a new server and tells how it went. */
export async function soak(
  { durationMs, print = () => {}, enough }: SoakOptions,
): Promise<SoakReport> {
  await using server = await startServer();
  const world = await makeWorld(server);
  const load = new Load(world, durationMs, enough);
  const minute = setInterval(() => print(load.line()), 60_000);
  try {
    await load.run();
  } finally {
    clearInterval(minute);
  }
  print(load.line());
  return load.report();
}

class Load {
  readonly #world: World;
  readonly #server: Server;
  readonly #random: Random = seeded(
    crypto.getRandomValues(new Uint32Array(1))[0]!,
  );
  readonly #began = performance.now();
  readonly #end: number;
  readonly #enough: Counts | undefined;
  readonly #samples: Sample[] = [];
  readonly #complaints: string[] = [];
  readonly #counts = {
    calls: 0,
    secretsChanged: 0,
    codeEdited: 0,
    keysRevoked: 0,
    rotations: 0,
    wrong: 0,
  };
  readonly #underWay = new Set<Promise<void>>();
  readonly #lastingKeys: number;

  constructor(world: World, durationMs: number, enough: Counts | undefined) {
    this.#enough = enough;
    this.#world = world;
    this.#server = world.server;
    this.#end = this.#began + durationMs;
    this.#lastingKeys = world.keys.length;
  }

  async run(): Promise<void> {
    await Promise.all([
      this.#every(1_000 / CALLS_PER_SECOND, () => this.#startCall()),
      this.#every(SECRETS_EVERY_MS, () => this.#changeSecret()),
      this.#every(EDIT_EVERY_MS, () => this.#editCode()),
      this.#every(KEY_EVERY_MS, () => this.#changeKeys()),
      this.#every(
        this.#enough ? ROTATION_SOON_MS : Math.min(ROTATION_EVERY_MS, (this.#end - this.#began) / 3),
        () => this.#rotate(),
      ),
      this.#every(
        SAMPLE_EVERY_MS,
        () => void this.#samples.push(sample(this.#server)),
      ),
    ]);
    await Promise.all(this.#underWay);
  }

  /** Does `work` again and again until the end; the next time is so long after the last one's beginning, or at once. */
  async #every(ms: number, work: () => Promise<void> | void): Promise<void> {
    for (
      let next = this.#began + ms;
      next < this.#end && !this.#isEnough();
      next = Math.max(next + ms, performance.now() - ms)
    ) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())));
      try {
        await work();
      } catch (error) {
        this.#complain(String(error));
      }
    }
  }

  #isEnough(): boolean {
    return this.#enough !== undefined &&
      Object.entries(this.#enough).every(([what, count]) => this.#counts[what as keyof Counts] >= count);
  }

  #startCall(): void {
    if (this.#underWay.size >= CALLS_MAX) return;
    const kind = this.#random.int(1, 100);
    const call = kind <= 4
      ? callEcho(this.#world, this.#random)
      : kind <= 8
      ? callCounter(this.#world, this.#random)
      : kind <= 10
      ? callPrinter(this.#world)
      : anyCallForSecrets(this.#world, this.#random);
    const checked = this.#check(call).finally(() => this.#underWay.delete(checked));
    this.#underWay.add(checked);
  }

  async #check(call: Promise<string | undefined>): Promise<void> {
    this.#counts.calls++;
    const complaint = await call.catch((error) => `a call failed: ${error}`);
    if (complaint !== undefined) this.#complain(complaint);
  }

  #complain(complaint: string): void {
    this.#counts.wrong++;
    const second = ((performance.now() - this.#began) / 1_000).toFixed(1);
    if (this.#complaints.length < COMPLAINTS_SHOWN) {
      this.#complaints.push(`at ${second} s: ${complaint}`);
    }
  }

  /** Half of the time some owner's, otherwise one that the functions of a lasting key see; and a call right after it. */
  async #changeSecret(): Promise<void> {
    const { cells, functions, keys } = this.#world;
    const cell = this.#random.pick(
      [...cells.values()].filter(({ owner, value }) =>
        !value.changing &&
        (owner.keyId === undefined || keys.some(({ id }) => id === owner.keyId))
      ),
    );
    await changeCell(
      this.#world,
      cell,
      cell.id === undefined || this.#random.chance(0.6),
    );
    this.#counts.secretsChanged++;
    const target: SecretsFunction | undefined = this.#random.pick(
      functions.filter(({ id, group }) =>
        (cell.owner.functionId ?? id) === id &&
        (cell.owner.groupId ?? group?.id) === group?.id &&
        (cell.owner.keyId === undefined ||
          keys.some((key) => key.id === cell.owner.keyId && key.group === group))
      ),
    );
    // Nobody's any more, if the key was revoked meanwhile.
    if (!target) return;
    const key = keys.find(({ id, group }) => group === target.group && (cell.owner.keyId ?? id) === id);
    await this.#check(
      callForSecrets(this.#world, target, target.group && key, [cell.name]),
    );
  }

  async #editCode(): Promise<void> {
    const target = this.#random.pick(this.#world.functions);
    await editCode(this.#world, target);
    this.#counts.codeEdited++;
    const key = this.#world.keys.find(({ group }) => group === target.group);
    await this.#check(
      callForSecrets(this.#world, target, key, [this.#random.pick(NAMES)]),
    );
  }

  /** Makes a key; of those that are too many, the oldest is revoked. */
  async #changeKeys(): Promise<void> {
    const { keys, groups, functions } = this.#world;
    await addKey(
      this.#world,
      this.#random.pick(groups),
      `passing-${crypto.randomUUID()}`,
    );
    const oldest = keys[this.#lastingKeys]!;
    if (keys.length <= this.#lastingKeys + PASSING_KEYS_MAX) return;
    // Unless a secret of it is being changed just now.
    if (
      [...this.#world.cells.values()].some(({ owner, value }) => owner.keyId === oldest.id && value.changing)
    ) return;
    await revokeKey(this.#world, oldest);
    this.#counts.keysRevoked++;
    const target = functions.find(({ group }) => group === oldest.group)!;
    await this.#check(
      callForSecrets(this.#world, target, oldest, [this.#random.pick(NAMES)]),
    );
  }

  async #rotate(): Promise<void> {
    expect(
      await this.#server.api("POST", "/api/encryption-keys/rotation"),
      200,
    );
    this.#counts.rotations++;
  }

  line(): string {
    const { calls, secretsChanged, codeEdited, keysRevoked, rotations, wrong } = this.#counts;
    const { hostMb, sandboxesMb, processes } = this.#samples.at(-1)!;
    return `${
      ((performance.now() - this.#began) / 60_000).toFixed(1)
    } min: ${calls} calls, ${wrong} wrong or failed; ` +
      `${secretsChanged} changes of secrets, ${codeEdited} edits, ${keysRevoked} keys revoked, ${rotations} rotations; ` +
      `host ${hostMb.toFixed(0)} MB, ${processes} other processes ${sandboxesMb.toFixed(0)} MB`;
  }

  report(): SoakReport {
    const growth = this.#growth();
    const missed = this.#counts.wrong > 0 ? [`${this.#counts.wrong} wrong answers or failed calls`] : [];
    if (growth !== undefined && growth > GROWTH_MAX) {
      missed.push(`memory grew by ${(growth * 100).toFixed(1)} %`);
    }
    return { ...this.#counts, complaints: this.#complaints, growth, missed };
  }

  #growth(): number | undefined {
    const duration = this.#end - this.#began;
    if (duration < MEMORY_FROM_MS) return undefined;
    const span = Math.min(SPAN_MS, (duration - SPAN_MS) / 2);
    const first = typical(
      this.#samples,
      this.#began + SPAN_MS,
      this.#began + SPAN_MS + span,
    );
    const last = typical(this.#samples, this.#end - span, this.#end);
    return last.totalMb / first.totalMb - 1;
  }
}
