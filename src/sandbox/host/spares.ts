// Starts processes in advance, without a function. A function that needs one with the same permissions takes it and
// does not wait for a start.

import { type ProcessOptions, type Profile, type SandboxProcess, startProcess } from "../process/process.ts";

export interface SparesOptions {
  readonly process: ProcessOptions;
  /** Returns how many to keep ready. */
  count(): number;
  /** Returns how many more processes may be started. */
  room(): number;
  /** Called when a spare has ended that was not taken. */
  onEnd(): void;
}

interface Spare {
  /** The result of `#profileKey`. */
  readonly profile: string;
  readonly process: SandboxProcess;
  /** Whether it was killed. It may live for another moment, but cannot be taken. */
  isEnding: boolean;
  /** Resolves when the process is gone and, if it was not taken, its connection is closed. */
  gone?: Promise<void>;
}

/** The delay after a spare was taken, so that a new start does not compete with the call that needed it. */
const REFILL_DELAY_MS = 250;

export class Spares {
  readonly #options: SparesOptions;
  /** Includes spares whose processes are ending. */
  readonly #spares = new Set<Spare>();
  #refill: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(options: SparesOptions) {
    this.#options = options;
  }

  /** The number of existing processes that were not taken. */
  get size(): number {
    return this.#spares.size;
  }

  /** Reports whether `take` would return a process. */
  has(profile: Profile): boolean {
    return isBlank(profile) && this.#find(profile) !== undefined;
  }

  /** Returns a process with this profile, if there is one. Starts others like it later. */
  take(profile: Profile): SandboxProcess | undefined {
    if (!isBlank(profile)) return undefined;
    const spare = this.#find(profile);
    if (spare) this.#forget(spare);
    this.prepare(profile, REFILL_DELAY_MS);
    return spare?.process;
  }

  /** Starts spares with this profile after a delay. */
  prepare(profile: Profile, delayMs: number): void {
    clearTimeout(this.#refill);
    this.#refill = setTimeout(() => this.#fill(profile), delayMs);
  }

  /** Ends a spare to make room, unless one is ending already. Returns whether there was one. */
  drop(): boolean {
    const spares = [...this.#spares];
    if (spares.length > 0 && !spares.some(({ isEnding }) => isEnding)) end(spares[0]!);
    return spares.length > 0;
  }

  /** Ends all spares, starts no more, and waits until they are gone. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#refill);
    this.#spares.forEach(end);
    await Promise.all([...this.#spares].map(({ gone }) => gone));
  }

  #find(profile: Profile): Spare | undefined {
    if (this.#spares.size === 0) return undefined;
    const name = this.#profileKey(profile);
    return [...this.#spares].find((spare) => isLike(spare, name));
  }

  /** Keeps spares of the profile that was requested last, as it is the most likely to be requested again. */
  #fill(profile: Profile): void {
    const name = this.#profileKey(profile);
    const { count, room, process } = this.#options;
    for (const spare of this.#spares) if (spare.profile !== name) end(spare);
    let missing = Math.min(room(), count() - [...this.#spares].filter((spare) => isLike(spare, name)).length);
    try {
      for (; missing > 0 && !this.#stopped; missing--) {
        this.#add({ profile: name, process: startProcess(profile, process), isEnding: false });
      }
    } catch {
      // The next call that needs a process reports the error.
    }
  }

  #add(spare: Spare): void {
    this.#spares.add(spare);
    const { connected, ended } = spare.process;
    spare.gone = ended.then(async () => {
      if (!this.#forget(spare)) return;
      this.#options.onEnd();
      // Nothing else closes it, and a descriptor of each spare would stay open.
      await connected.then((connection) => connection.close(), () => {});
    });
  }

  /** Removes a spare. Returns false if it was taken before, and is counted elsewhere. */
  #forget(spare: Spare): boolean {
    return this.#spares.delete(spare);
  }

  /** Returns the same key for profiles whose processes are currently started in the same way. */
  #profileKey({ importHosts, net, memoryMb }: Profile): string {
    const { denyNet, machineHosts, nodeAddresses, databaseAddresses } = this.#options.process;
    const addresses = [machineHosts(), nodeAddresses(), databaseAddresses()];
    return JSON.stringify([importHosts, net, memoryMb, denyNet(), addresses]);
  }
}

/** Reports whether the profile needs nothing of its function, such as packages. */
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
