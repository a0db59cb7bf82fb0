// Processes that are started ahead, without a function: the next one that needs what they may do is given one, and
// does not wait for a start.

import { type ProcessOptions, type Profile, type SandboxProcess, startProcess } from "../process/process.ts";

export interface SparesOptions {
  readonly process: ProcessOptions;
  /** How many to keep ready. */
  count(): number;
  /** How many more processes there may be. */
  room(): number;
  /** A spare has ended without having been taken. */
  onEnd(): void;
}

interface Spare {
  /** See `#nameOf`. */
  readonly profile: string;
  readonly process: SandboxProcess;
  /** Whether it was killed, though it may still live for a moment: then it is nobody's any more. */
  isEnding: boolean;
  /** Settles when the process is gone and, if it was not taken, its connection is closed. */
  gone?: Promise<void>;
}

/** After a start, so that a new one does not take the processor from the call that needed the last. */
const REFILL_DELAY_MS = 250;

export class Spares {
  readonly #options: SparesOptions;
  /** Those whose processes are ending, too. */
  readonly #spares = new Set<Spare>();
  #refill: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: SparesOptions) {
    this.#options = options;
  }

  /** Processes that exist and are nobody's. */
  get size(): number {
    return this.#spares.size;
  }

  /** Whether `take` would find one. */
  has(profile: Profile): boolean {
    return isBlank(profile) && this.#find(profile) !== undefined;
  }

  /** A process with this profile, if there is one; others like it are started in a while. */
  take(profile: Profile): SandboxProcess | undefined {
    if (!isBlank(profile)) return undefined;
    const spare = this.#find(profile);
    if (spare) this.#forget(spare);
    this.prepare(profile, REFILL_DELAY_MS);
    return spare?.process;
  }

  /** Starts spares with this profile in a while. */
  prepare(profile: Profile, delayMs: number): void {
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => this.#fill(profile), delayMs);
  }

  /** Ends one, for others' sake, if none is ending already; whether there was one. */
  drop(): boolean {
    const spares = [...this.#spares];
    if (spares.length > 0 && !spares.some(({ isEnding }) => isEnding)) end(spares[0]!);
    return spares.length > 0;
  }

  /** Ends all and starts no more; settles when they are gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#refill);
    this.#spares.forEach(end);
    await Promise.all([...this.#spares].map(({ gone }) => gone));
  }

  #find(profile: Profile): Spare | undefined {
    if (this.#spares.size === 0) return undefined;
    const name = this.#nameOf(profile);
    return [...this.#spares].find((spare) => isLike(spare, name));
  }

  /** Keeps spares of the profile that was asked for last: of all others, it is the likeliest to be asked for again. */
  #fill(profile: Profile): void {
    const name = this.#nameOf(profile);
    const { count, room, process } = this.#options;
    for (const spare of this.#spares) if (spare.profile !== name) end(spare);
    let missing = Math.min(room(), count() - [...this.#spares].filter((spare) => isLike(spare, name)).length);
    try {
      for (; missing > 0 && !this.#stopped; missing--) {
        this.#add({ profile: name, process: startProcess(profile, process), isEnding: false });
      }
    } catch {
      // The call that needs a process will say why there is none.
    }
  }

  #add(spare: Spare): void {
    this.#spares.add(spare);
    const { connected, ended } = spare.process;
    spare.gone = ended.then(async () => {
      if (!this.#forget(spare)) return;
      this.#options.onEnd();
      // Nobody else has it; a descriptor of each spare would stay open.
      await connected.then((connection) => connection.close(), () => {});
    });
  }

  /** Whether it was still one: one that was taken is counted by whoever has it. */
  #forget(spare: Spare): boolean {
    return this.#spares.delete(spare);
  }

  /** The same for profiles whose processes are started in the same way now. */
  #nameOf({ importHosts, net, memoryMb }: Profile): string {
    const { denyNet, machineHosts } = this.#options.process;
    return JSON.stringify([importHosts, net, memoryMb, denyNet(), machineHosts()]);
  }
}

/** Whether the process needs nothing that is a function's own, such as packages. */
function isBlank({ lock, config, packages }: Profile): boolean {
  return lock === undefined && config === undefined && packages.length === 0;
}

function isLike(spare: Spare, profile: string): boolean {
  return spare.profile === profile && !spare.isEnding;
}

function end(spare: Spare): void {
  spare.isEnding = true;
  spare.process.kill();
}
