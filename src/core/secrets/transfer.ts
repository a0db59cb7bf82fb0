// Imports and exports secrets as files. An import is planned and encrypted in slices, and then stored in one transaction.

import { type Actor, difference, manyEvents, type Recorder, requireEntitled } from "../../actor.ts";
import { AppError, conflict, invalid, notFound } from "../../errors.ts";
import { type Owner, ownerId, type OwnerRef, type SecretId, type SecretName } from "../../ids.ts";
import { secretAad } from "../../keyring/aad.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { slices } from "../../slices.ts";
import { type SecretFilter, type SecretRow, type SecretStore, setterOf } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { createNames, type Names } from "../access/names.ts";
import { NO_ALERTS, type SecretAlerts } from "./alerts.ts";
import type { FileProblem } from "./file_entries.ts";
import { type Addressed, assignOwners, ownersIn } from "./import_lines.ts";
import {
  type FileFormat,
  formatSecretFile,
  parseSecretFile,
  type UnreadableSecret,
  type WrittenSecret,
} from "./secret_files.ts";
import { factsOf, requireOwner } from "./described.ts";
import { openSecret, SEALED } from "./opened.ts";
import { isSealable, SEALED_MIN_BYTES } from "./seal.ts";
import { SecretWriter, VERSIONS_KEPT } from "./writer.ts";

/** Secrets in one file. */
export const IMPORT_MAX = 10_000;
/** Lines that an error names. */
const DETAILS_MAX = 1_000;
/** Names in the sentence of an error. */
const NAMED_MAX = 20;
const ATTEMPTS = 3;

export interface ImportRequest {
  readonly format: FileFormat;
  readonly content: string;
  /** Of the names without one of `prefixes`. */
  readonly owner: OwnerRef;
  /** Owners by prefix. The longest prefix of a name counts; it is not part of the secret's name. */
  readonly prefixes: ReadonlyMap<string, OwnerRef>;
  /** With "create", a name that the owner has is a conflict. */
  readonly mode: "upsert" | "create";
}

/** A secret of an import, without its value. */
export interface ImportedSecret {
  readonly name: SecretName;
  readonly owner: Owner;
  /** Null for global. */
  readonly ownerName: string | null;
  readonly line: number;
}

/** What an import does, or did. */
export interface ImportPlan {
  readonly new: readonly ImportedSecret[];
  readonly changed: readonly ImportedSecret[];
  readonly same: readonly ImportedSecret[];
  /** Prevents the import. With the mode "create", includes names that exist. */
  readonly invalid: readonly FileProblem[];
}

export interface SecretExport {
  readonly text: string;
  /** Secrets that are not in the text, because their values cannot be read. */
  readonly unreadable: readonly UnreadableSecret[];
}

export interface SecretTransfer {
  /** Returns what `import` would do. @throws AppError NotFound (404), InvalidInput (400) */
  preview(actor: Actor, request: ImportRequest): Promise<ImportPlan>;

  /**
   * Stores all secrets of a file, or none.
   * @throws AppError InvalidInput (400) with the lines in `details`, NotFound (404), Conflict (409) for names that exist
   *   with the mode "create", TamperedRow (409)
   */
  import(actor: Actor, request: ImportRequest): Promise<ImportPlan>;

  /** Returns the secrets of one owner, by name. Records this in the audit first. @throws AppError NotFound (404) */
  export(actor: Actor, owner: OwnerRef, format: FileFormat): Promise<SecretExport>;

  /**
   * Returns these secrets, which must have one owner, in the same way: a file has each name once.
   * @throws AppError NotFound (404), InvalidInput (400)
   */
  exportSome(actor: Actor, ids: readonly SecretId[], format: FileFormat): Promise<SecretExport>;
}

export interface SecretTransferOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly record: Recorder;
  /** How many values of each secret are kept, with the current one; 10 by default. */
  readonly versionsKept?: () => number;
  /** Raises the alerts of canaries that are exported. */
  readonly alerts?: Pick<SecretAlerts, "revealed">;
}

export function createSecretTransfer(options: SecretTransferOptions): SecretTransfer {
  return new TransferService(options);
}

/** A secret of a file next to what is stored. */
interface Step extends Addressed {
  readonly kind: "new" | "changed" | "same";
  readonly old: SecretRow | undefined;
  readonly comment: string;
  /** Undefined if the value is the same, and in a preview. */
  readonly ciphertext: string | undefined;
}

interface Steps {
  readonly steps: readonly Step[];
  /** Of the key that encrypted the values. */
  readonly keyVersion: number;
}

/** Storing this number of secrets takes some hundred milliseconds. */
const MANY = 500;

/** What was planned does not fit what is stored any more. */
class Outdated extends Error {}

class TransferService implements SecretTransfer {
  readonly #store: Store;
  readonly #keyring: Keyring;
  readonly #now: () => number;
  readonly #record: Recorder;
  readonly #rows: SecretStore;
  readonly #names: Names;
  readonly #writer: SecretWriter;
  readonly #alerts: Pick<SecretAlerts, "revealed">;

  constructor(options: SecretTransferOptions) {
    const { store, keyring, now, record, versionsKept = () => VERSIONS_KEPT, alerts = NO_ALERTS } = options;
    this.#alerts = alerts;
    this.#store = store;
    this.#keyring = keyring;
    this.#now = now;
    this.#record = record;
    this.#rows = store.secrets;
    this.#names = createNames(store);
    this.#writer = new SecretWriter({ store, keyring, now, versionsKept });
  }

  async preview(actor: Actor, request: ImportRequest): Promise<ImportPlan> {
    requireEntitled(actor);
    const { lines, problems } = await this.#read(request);
    const { steps } = await this.#plan(lines, false);
    const taken = request.mode === "create" ? takenIn(steps) : [];
    const invalid = [...problems, ...tooShortIn(steps), ...taken].sort((a, b) => a.line - b.line);
    const isValid = (step: Step) => !isTooShort(step) && !(request.mode === "create" && step.old);
    return { ...resultOf(steps.filter(isValid)), invalid };
  }

  async import(actor: Actor, request: ImportRequest): Promise<ImportPlan> {
    requireEntitled(actor);
    const { lines, problems } = await this.#read(request);
    if (problems.length > 0) throw invalidLines(problems);
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const plan = await this.#plan(lines, true);
      const tooShort = tooShortIn(plan.steps);
      if (tooShort.length > 0) throw invalidLines(tooShort);
      const taken = request.mode === "create" ? takenIn(plan.steps) : [];
      if (taken.length > 0) throw namesTaken(taken, plan.steps);
      const isDone = plan.steps.every(({ kind }) => kind === "same");
      try {
        const change = () => this.#store.change(actor, () => this.#apply(actor, plan));
        if (!isDone && plan.steps.length < MANY) await this.#store.commit(change);
        else if (!isDone) await this.#store.commitLong(change);
        return { ...resultOf(plan.steps), invalid: [] };
      } catch (error) {
        if (!(error instanceof Outdated)) throw error;
      }
    }
    throw conflict("The secrets changed while the file was imported. Nothing was stored. Try again.");
  }

  async export(actor: Actor, ref: OwnerRef, format: FileFormat): Promise<SecretExport> {
    const owner = this.#names.owner(ref);
    requireOwner(this.#store, owner);
    return await this.#export(actor, this.#rows.list(filterOf(owner), 0, Number.MAX_SAFE_INTEGER), format);
  }

  async exportSome(actor: Actor, ids: readonly SecretId[], format: FileFormat): Promise<SecretExport> {
    const rows = [...new Set(ids)].map((id) => {
      const row = this.#rows.find(id);
      if (!row) throw notFound("secret", id);
      return row;
    });
    const owners = new Set(rows.map(({ owner }) => `${owner.scope} ${ownerId(owner)}`));
    if (owners.size > 1) throw invalid("secret", "must be of one owner for a file, which has each name once");
    return await this.#export(actor, rows, format);
  }

  async #export(actor: Actor, rows: SecretRow[], format: FileFormat): Promise<SecretExport> {
    rows.sort((a, b) => a.name < b.name ? -1 : 1);
    const shown = rows.filter(({ sealed }) => !sealed);
    const reveal = () => {
      manyEvents("secret.revealed", "secret", shown).forEach((event) => this.#record(actor, event));
      this.#alerts.revealed(actor, shown);
    };
    await this.#store.commit(() => this.#store.change(actor, reveal));
    const secrets: WrittenSecret[] = [];
    const unreadable: UnreadableSecret[] = [];
    const pause = slices();
    for (const row of rows) {
      await pause();
      if (row.sealed) {
        unreadable.push({ name: row.name, reason: SEALED });
        continue;
      }
      const { value, decryptionError } = openSecret(this.#rows, this.#keyring, row);
      if (value) secrets.push({ name: row.name, value: value.reveal(), comment: row.comment });
      else unreadable.push({ name: row.name, reason: decryptionError! });
    }
    return { text: formatSecretFile(format, secrets, unreadable), unreadable };
  }

  async #read({ format, content, owner, prefixes }: ImportRequest) {
    const owners = ownersIn(this.#store, this.#names, owner, prefixes);
    const { entries, problems } = await parseSecretFile(format, content);
    if (entries.length > IMPORT_MAX) throw invalid("content", `has more than ${IMPORT_MAX} secrets`);
    return assignOwners(entries, problems, owners);
  }

  /** Compares a file with what is stored, and if `isSealed` encrypts what is new. */
  async #plan(lines: readonly Addressed[], isSealed: boolean): Promise<Steps> {
    const keyVersion = this.#keyring.currentVersion;
    const pause = slices();
    const steps: Step[] = [];
    for (const line of lines) {
      await pause();
      const { name, value, owner } = line;
      const old = this.#rows.findByOwner(name, owner);
      const isSameValue = old !== undefined &&
        openSecret(this.#rows, this.#keyring, old).value?.reveal() === value;
      // A file without a comment says nothing about it.
      const comment = line.comment === "" ? old?.comment ?? "" : line.comment;
      const kind = !old ? "new" : isSameValue && comment === old.comment ? "same" : "changed";
      const sealed = () => isSealed ? this.#keyring.seal(value, secretAad(owner, name)) : undefined;
      steps.push({ ...line, kind, old, comment, ciphertext: isSameValue ? undefined : sealed() });
    }
    return { steps, keyVersion };
  }

  /** Stores what was planned. @throws Outdated */
  #apply(actor: Actor, { steps, keyVersion }: Steps): void {
    // A rotation may have ended meanwhile, and removed the key.
    if (keyVersion !== this.#keyring.currentVersion) throw new Outdated();
    const owners = new Map(steps.map(({ owner }) => [`${owner.scope} ${ownerId(owner)}`, owner]));
    for (const owner of owners.values()) requireOwner(this.#store, owner);
    for (const step of steps) {
      const row = this.#rows.findByOwner(step.name, step.owner);
      // A rotation changes the ciphertext alone.
      if (row?.id !== step.old?.id || row?.updatedAt !== step.old?.updatedAt) throw new Outdated();
      if (!row) this.#insert(actor, step);
      else if (step.kind === "changed") this.#update(actor, step, row);
    }
  }

  #insert(actor: Actor, { name, owner, ownerName, comment, ciphertext }: Step): void {
    const setBy = setterOf(actor);
    const id = this.#rows.insert({ name, owner, ciphertext: ciphertext!, comment, setBy, now: this.#now() });
    this.#record(actor, {
      action: "secret.created",
      subject: { kind: "secret", id, name },
      after: { ...factsOf({ name, owner, ownerName, comment }), value: "set" },
    });
  }

  #update(actor: Actor, { name, comment, value, ciphertext }: Step, old: SecretRow): void {
    this.#writer.update(actor, old, { comment, ...(ciphertext !== undefined && { value, ciphertext }) });
    const { before, after } = difference(factsOf(old), factsOf({ ...old, comment }));
    this.#record(actor, {
      action: "secret.updated",
      subject: { kind: "secret", id: old.id, name },
      before,
      after: { ...after, ...(ciphertext !== undefined && { value: "changed" }) },
    });
  }
}

function filterOf(owner: Owner): SecretFilter {
  const { scope, ...id } = owner;
  return { scope, ...id };
}

function resultOf(steps: readonly Step[]): Omit<ImportPlan, "invalid"> {
  const of = (kind: Step["kind"]): ImportedSecret[] =>
    steps.filter((step) => step.kind === kind)
      .map(({ name, owner, ownerName, line }) => ({ name, owner, ownerName, line }));
  return { new: of("new"), changed: of("changed"), same: of("same") };
}

/** Returns the lines whose values are too short for the sealed secrets that they change. */
function tooShortIn(steps: readonly Step[]): FileProblem[] {
  return steps.filter(isTooShort)
    .map(({ name, line }) => ({
      line,
      problem: `sets ${name}, which is sealed, to a value of less than ${SEALED_MIN_BYTES} bytes`,
    }));
}

function isTooShort({ old, value }: Step): boolean {
  return old !== undefined && old.sealed && !isSealable(value);
}

function takenIn(steps: readonly Step[]): FileProblem[] {
  return steps.filter(({ old }) => old)
    .map(({ name, owner, ownerName, line }) => ({
      line,
      problem: `sets ${name}, which exists ${
        owner.scope === "global" ? "globally" : `for ${owner.scope} "${ownerName}"`
      }`,
    }));
}

function detailsOf(problems: readonly FileProblem[]): Record<string, string> {
  const details: Record<string, string> = {};
  for (const { line, problem } of problems.slice(0, DETAILS_MAX)) {
    const field = `line ${line}`;
    details[field] = field in details ? `${details[field]}; ${problem}` : problem;
  }
  return details;
}

function invalidLines(problems: readonly FileProblem[]): AppError {
  const [{ line, problem }] = problems as [FileProblem];
  const others = problems.length === 1 ? "" : ` So are ${problems.length - 1} others.`;
  const message = `Nothing was imported, because line ${line} is invalid: it ${problem}.${others}`;
  return new AppError("InvalidInput", 400, message, detailsOf(problems));
}

function namesTaken(taken: readonly FileProblem[], steps: readonly Step[]): AppError {
  const names = steps.filter(({ old }) => old).map(({ name }) => name);
  const more = names.length > NAMED_MAX ? ` and ${names.length - NAMED_MAX} others` : "";
  const message = `Nothing was imported, because these secrets exist: ${names.slice(0, NAMED_MAX).join(", ")}${more}.`;
  return conflict(message, detailsOf(taken));
}
