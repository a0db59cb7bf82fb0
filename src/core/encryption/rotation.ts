// Rotates encryption keys: adds a key, re-encrypts all values, then drops expired keys. docs/encryption.md lists the
// order of its durable steps: if the server is killed after any of them, the next start resumes the rotation.

import { type Actor, type Facts, type Recorder, SERVER } from "../../actor.ts";
import { AppError, messageOf, reasonOf } from "../../errors.ts";
import { storageProblem } from "../../store/storage_error.ts";
import type { Store } from "../../store/store.ts";
import type { KeyFile } from "../../keyring/key_file.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { type KeyChanges, keyChangesOf } from "./key_changes.ts";
import {
  describeKeys,
  describeUnreadable,
  type KeysStatus,
  type LastRotation,
  missingVersions,
  retiredVersions,
  type RotationOutcome,
  type RotationStatus,
} from "./key_status.ts";
import { reencrypt } from "./reencryption.ts";
import { readState, type RotationState, writeState } from "./rotation_state.ts";
import { countSeals, SEALS_MAX } from "./encryption_counter.ts";
import { DAY_MS, HOUR_MS } from "../../time.ts";

const CHECK_INTERVAL_MS = HOUR_MS;
/** How soon another node continues what one that ended has begun. */
const CHECK_INTERVAL_IN_CLUSTER_MS = 5_000;
/** Shortest duration of a rotation, so that concurrent requests create one version even if there is little to encrypt. */
const ROTATION_MIN_MS = 200;
/** How long after a call the server still counts as busy. */
const BUSY_MS = 100;
/** While the server is busy, batches are smaller, as a call waits for several of them, and leave most time to calls. */
const BUSY_SHARE = 1 / 20;
const BUSY_SLEEP_MS = 3;

export interface RotationSettings {
  /** Days from the end of one rotation to the start of the next. */
  intervalDays(): number;
  /** Values in one transaction while the server is idle. */
  batchSize(): number;
  /** Pause between two transactions. */
  batchSleepMs(): number;
  /** Days that an old key is kept after no value needs it any longer. */
  keepDays(): number;
}

export interface RotationParts {
  readonly store: Store;
  readonly keyFile: KeyFile;
  readonly settings: RotationSettings;
  /** Reports whether a request is waiting for the server. */
  readonly busy: () => boolean;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly report: (level: "info" | "warn" | "error", message: string) => void;
  /** Is called at the start and the end of each rotation. */
  readonly record: Recorder;
  /** For a node of a cluster. */
  readonly cluster?: RotationInCluster | undefined;
}

export interface RotationInCluster {
  readonly keyChanges: KeyChanges;
  /** The id of this node. */
  readonly node: string;
  /** Lets this node lead, until what is returned is disposed of; undefined while another one leads. */
  lead(): Promise<AsyncDisposable | undefined>;
}

export class Rotation {
  readonly #store: Store;
  readonly #keyFile: KeyFile;
  readonly #keyring: Keyring;
  readonly #settings: RotationSettings;
  readonly #busy: () => boolean;
  readonly #now: () => number;
  readonly #report: RotationParts["report"];
  readonly #record: Recorder;
  readonly #seals: () => number;
  readonly #keyChanges: KeyChanges;
  readonly #cluster: RotationInCluster | undefined;
  /** As long as none is stored. */
  readonly #first: RotationState;
  /** Set while a rotation is running. */
  #progress: { done: number; total: number } | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #last: LastRotation | undefined;
  #busyAt = -Infinity;
  #timer: ReturnType<typeof setInterval> | undefined;
  #stopping = false;
  #dropping: Promise<void> | undefined;
  /** Failures one after the other of rotations that began by themselves, and when the next one may begin. */
  #failures = 0;
  #retryAt = -Infinity;

  constructor({ store, keyFile, settings, busy, now, report, record, cluster }: RotationParts) {
    this.#store = store;
    this.#keyFile = keyFile;
    this.#keyring = keyFile.keyring;
    this.#settings = settings;
    this.#busy = busy;
    this.#now = now;
    this.#report = report;
    this.#record = record;
    this.#cluster = cluster;
    this.#keyChanges = cluster?.keyChanges ?? keyChangesOf(keyFile);
    this.#seals = countSeals(this.#keyring, store, cluster?.node);
    this.#first = this.#firstState();
  }

  /** Read again each time, as another node may have changed it. */
  get #state(): RotationState {
    return readState(this.#store.meta) ?? this.#first;
  }

  /** Resumes an interrupted rotation, rotates if one is due, and checks again every hour. */
  start(): void {
    for (const { version, values } of missingVersions(this.#keyring, this.#store.ciphertexts)) {
      this.#report(
        "error",
        `Encryption key version ${version} is not in the key file, but ${values} stored values need it. ` +
          "They cannot be read until it is restored.",
      );
    }
    const intervalMs = this.#cluster ? CHECK_INTERVAL_IN_CLUSTER_MS : CHECK_INTERVAL_MS;
    const timer = this.#timer = setInterval(() => void this.check(), intervalMs);
    Deno.unrefTimer(timer);
    void this.check();
  }

  /** Stops after the current batch; the next start resumes from there. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await Promise.all([this.#running, this.#dropping]);
  }

  /**
   * Drops old keys, and starts a rotation in the background if one is due or was interrupted. Resolves once the keys are
   * dropped.
   */
  async check(): Promise<void> {
    if (this.#progress || this.#stopping || this.#dropping) return;
    if (this.#hasOldKeys()) await (this.#dropping = this.#dropOldKeys().finally(() => this.#dropping = undefined));
    if (this.#stopping || this.#now() < this.#retryAt || !this.#isDue()) return;
    this.#rotateOnce(SERVER, true).then(() => this.#failures = 0, (error) => {
      const isElsewhere = this.#cluster && error instanceof AppError && error.code === "RotationInProgress";
      if (isElsewhere) return;
      this.#report("error", messageOf(error));
      // In a cluster, checks are so frequent that the audit would fill with failures.
      const pauseMs = Math.min(CHECK_INTERVAL_IN_CLUSTER_MS * 2 ** ++this.#failures, CHECK_INTERVAL_MS);
      if (this.#cluster) this.#retryAt = this.#now() + pauseMs;
    });
  }

  /**
   * Makes a new key current and re-encrypts everything, or resumes the rotation that was interrupted.
   * @throws AppError RotationInProgress (409), StorageFailed (503) if there is no space or permission to write,
   *   Stopping (503); after the latter two the rotation is resumed automatically
   */
  async rotate(actor: Actor): Promise<RotationOutcome> {
    return (await this.#rotateOnce(actor, false))!;
  }

  /** With `ifDue`, resolves with undefined if another node has just done it. */
  #rotateOnce(actor: Actor, ifDue: boolean): Promise<RotationOutcome | undefined> {
    // Before anything is awaited, or two rotations could start at once.
    if (this.#progress) return Promise.reject(inProgress());
    if (this.#stopping) return Promise.reject(stopping());
    const progress = this.#progress = { done: 0, total: 0 };
    const run = this.#leading(() => this.#run(actor, progress, ifDue)).finally(() => this.#progress = undefined);
    this.#running = run.catch(() => {});
    return run;
  }

  /** Runs `work` while no other node leads. @throws AppError RotationInProgress (409) */
  async #leading<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#cluster) return await work();
    await using led = await this.#cluster.lead();
    if (!led) throw inProgress();
    return await work();
  }

  status(): RotationStatus {
    const { completedAt } = this.#state;
    return {
      lastRotationAt: completedAt,
      daysSinceRotation: Math.max(0, Math.floor((this.#now() - completedAt) / DAY_MS)),
      nextRotationAt: this.#nextAt(),
      rotationIntervalDays: this.#settings.intervalDays(),
      currentVersion: this.#keyring.currentVersion,
      progress: this.#progress ? { ...this.#progress } : this.#progressElsewhere(),
      missingVersions: missingVersions(this.#keyring, this.#store.ciphertexts),
    };
  }

  /** How the last rotation ended; undefined if none has ended since the start. */
  get last(): LastRotation | undefined {
    return this.#last;
  }

  keys(): KeysStatus {
    const keptMs = this.#settings.keepDays() * DAY_MS;
    const { retired } = this.#state;
    return describeKeys(this.#keyFile, this.#store.ciphertexts, { retired, keptMs, seals: this.#seals() });
  }

  async #run(
    actor: Actor,
    progress: { done: number; total: number },
    ifDue: boolean,
  ): Promise<RotationOutcome | undefined> {
    const minimumDuration = new Promise((resolve) => setTimeout(resolve, ROTATION_MIN_MS));
    try {
      // Before anything else, as a change of the key file cannot be rolled back with an entry.
      const begun = await this.#store.commit(() => {
        if (ifDue && !this.#isDue()) return undefined;
        const resumed = this.#isUnfinished();
        this.#audit(actor, "rotation.started", { fromVersion: this.#state.completed, resumed });
        return { resumed };
      });
      if (!begun) return undefined;
      if (!begun.resumed || this.#keyFile.pendingVersion !== undefined) {
        const { ciphertexts } = this.#store;
        await this.#keyChanges.add(new Date(this.#now()), () => this.#state.highest, () => ciphertexts.versions());
      }
      await this.#begin(progress);
      const currentVersion = this.#keyring.currentVersion;
      await this.#pause();
      const outcome = { currentVersion, ...await this.#reencryptAll(progress) };
      await this.#finish(actor, outcome);
      this.#reportEnd(outcome);
      await minimumDuration;
      this.#last = { at: this.#now(), outcome };
      return outcome;
    } catch (error) {
      const explained = this.#explained(error);
      // An unexpected error may reveal internals; it is only in the log.
      const failure = explained instanceof AppError ? explained.message : "It failed; the server's log has the cause.";
      this.#last = { at: this.#now(), failure };
      await this.#auditFailure(actor, explained);
      throw explained;
    }
  }

  async #reencryptAll(progress: { done: number; total: number }): Promise<Omit<RotationOutcome, "currentVersion">> {
    const steps = reencrypt(this.#store, this.#keyring, () => this.#batchSize());
    let reencrypted = 0;
    for (;;) {
      const { done, value } = await steps.next();
      if (done) return { reencrypted, unreadable: value };
      reencrypted += value.reencrypted;
      progress.done = Math.min(progress.done + value.handled, progress.total);
      await this.#pause();
    }
  }

  #audit(actor: Actor, action: "rotation.started" | "rotation.finished" | "rotation.failed", after: Facts): void {
    this.#record(actor, { action, subject: { kind: "rotation", id: null, name: "" }, after });
  }

  async #auditFailure(actor: Actor, error: unknown): Promise<void> {
    try {
      await this.#store.commit(() =>
        this.#audit(actor, "rotation.failed", { why: messageOf(error), ...this.#stopping && { stopped: true } })
      );
    } catch (problem) {
      // The cause of the failure, such as a full disk, prevents this write, too.
      this.#report("error", `The failure of a rotation could not be recorded in the audit: ${messageOf(problem)}`);
    }
  }

  #batchSize(): number {
    return Math.ceil(this.#settings.batchSize() * (this.#isBusy() ? BUSY_SHARE : 1));
  }

  #isBusy(): boolean {
    if (this.#busy()) this.#busyAt = performance.now();
    return performance.now() - this.#busyAt < BUSY_MS;
  }

  /** Lets requests be served. @throws AppError Stopping (503) */
  async #pause(): Promise<void> {
    const sleepMs = Math.max(this.#settings.batchSleepMs(), this.#isBusy() ? BUSY_SLEEP_MS : 0);
    // A timer even at 0 ms: setImmediate() would run before requests that have already arrived.
    await new Promise((resolve) => setTimeout(resolve, sleepMs));
    if (this.#stopping) throw stopping();
  }

  /** Stores how much there is to do, so that progress continues correctly after a restart. */
  async #begin(progress: { done: number; total: number }): Promise<void> {
    const { target, left, total } = await this.#store.commit(() => {
      const target = this.#keyring.currentVersion;
      const left = this.#left(target);
      const { running } = this.#state;
      const total = running?.target === target ? Math.max(running.total, left) : left;
      this.#save({ ...this.#state, highest: Math.max(this.#state.highest, target), running: { target, total } });
      return { target, left, total };
    });
    this.#report("info", `Key rotation to version ${target}: ${left} values to re-encrypt.`);
    Object.assign(progress, { done: total - left, total });
  }

  /** Returns the number of values that are not of this version. */
  #left(target: number): number {
    const { ciphertexts } = this.#store;
    return ciphertexts.versions().filter((version) => version !== target)
      .reduce((sum, version) => sum + ciphertexts.count(version), 0);
  }

  /** Returns the progress of a rotation that another node leads. */
  #progressElsewhere(): RotationStatus["progress"] {
    const { running } = this.#state;
    if (!this.#cluster || !running) return null;
    return { done: Math.max(0, running.total - this.#left(running.target)), total: running.total };
  }

  async #finish(actor: Actor, { currentVersion, reencrypted, unreadable }: RotationOutcome): Promise<void> {
    await this.#store.commit(() => {
      this.#audit(actor, "rotation.finished", { version: currentVersion, reencrypted, unreadable: unreadable.values });
      this.#save({
        ...this.#state,
        completed: currentVersion,
        completedAt: this.#now(),
        running: null,
        retired: this.#nowRetired(),
      });
    });
  }

  #reportEnd({ currentVersion, reencrypted, unreadable }: RotationOutcome): void {
    this.#report("info", `Key rotation to version ${currentVersion} is done: ${reencrypted} values re-encrypted.`);
    if (unreadable.values > 0) this.#report("error", describeUnreadable(unreadable));
  }

  #isUnfinished(): boolean {
    return this.#state.completed !== this.#keyring.currentVersion || this.#keyFile.pendingVersion !== undefined;
  }

  #isDue(): boolean {
    return this.#isUnfinished() || this.#seals() >= SEALS_MAX || this.#now() >= this.#nextAt();
  }

  #nextAt(): number {
    return this.#state.completedAt + this.#settings.intervalDays() * DAY_MS;
  }

  #nowRetired(): RotationState["retired"] {
    const keys = { keyring: this.#keyring, versions: this.#keyFile.versions() };
    return retiredVersions(keys, this.#store.ciphertexts, this.#state.retired, this.#now());
  }

  #hasOldKeys(): boolean {
    return this.#hasRetired() || this.#expired().length > 0;
  }

  /** Never rejects. */
  async #dropOldKeys(): Promise<void> {
    try {
      if (!this.#cluster) return await this.#retireAndDrop();
      await using led = await this.#cluster.lead();
      if (led) await this.#retireAndDrop();
    } catch (error) {
      this.#report("error", `Old encryption keys could not be dropped: ${storageProblem(error) ?? reasonOf(error)}.`);
    }
  }

  async #retireAndDrop(): Promise<void> {
    await this.#retire();
    if (this.#expired().length === 0) return;
    // Keys first: if this is interrupted, #retire() removes them from the state later.
    const dropped = await this.#keyChanges.drop(() => this.#expired());
    if (dropped.length === 0) return;
    this.#report(
      "info",
      `Dropped encryption key ${dropped.join(", ")}: no value has needed it since its retention began.`,
    );
    await this.#retire();
  }

  /** Updates which versions are unused: values may have been deleted, and a backup may bring an old version back. */
  async #retire(): Promise<void> {
    if (!this.#hasRetired()) return;
    await this.#store.commit(() => this.#save({ ...this.#state, retired: this.#nowRetired() }));
  }

  #hasRetired(): boolean {
    return JSON.stringify(this.#nowRetired()) !== JSON.stringify(this.#state.retired);
  }

  /** Returns the versions that were kept long enough after their last use. */
  #expired(): number[] {
    const keptMs = this.#settings.keepDays() * DAY_MS;
    const unused = this.#nowRetired().map(({ version }) => version);
    return this.#state.retired.filter(({ version, since }) => unused.includes(version) && this.#now() - since >= keptMs)
      .map(({ version }) => version);
  }

  /** Returns the state if none is stored: no rotation has run yet, or the first one was interrupted. */
  #firstState(): RotationState {
    const { currentVersion } = this.#keyring;
    const versions = this.#keyFile.versions();
    const { createdAt } = versions.find(({ version }) => version === currentVersion)!;
    const others = this.#store.ciphertexts.versions().filter((version) => version !== currentVersion);
    const completed = others.length === 0 ? currentVersion : Math.max(1, ...others.filter((version) => version > 0));
    const completedAt = Date.parse(createdAt);
    return { completed, completedAt, highest: currentVersion, running: null, retired: [] };
  }

  #save(state: RotationState): void {
    writeState(this.#store.meta, state);
  }

  #explained(error: unknown): unknown {
    const why = storageProblem(error);
    if (!why) return error;
    return new AppError(
      "StorageFailed",
      503,
      `The key rotation stopped because ${why}. Nothing is lost: it resumes when it is started again, ` +
        "within an hour, or when the server starts.",
    );
  }
}

function inProgress(): AppError {
  return new AppError("RotationInProgress", 409, "A key rotation is already running.");
}

function stopping(): AppError {
  return new AppError("Stopping", 503, "The server is stopping. The key rotation resumes when it starts again.");
}
