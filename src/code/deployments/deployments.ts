// Deploys code: files and functions change together, in one transaction, after checks. Deployments come one after the
// other, and each is checked against what the one before left.

import { Buffer } from "node:buffer";
import type { Actor, Recorder } from "../../actor.ts";
import { AppError, conflict, notFound } from "../../errors.ts";
import { entryOf } from "../../core/functions/entry.ts";
import type {
  FunctionEntries,
  FunctionEntry,
  FunctionPlan,
  PlannedReplacement,
  RegisteredFunction,
  Registry,
} from "../../core/functions/registry.ts";
import type { FunctionId } from "../../ids.ts";
import { pageOf } from "../../paging.ts";
import { type Sha256, sha256Of } from "../../sha256.ts";
import { type Blobs, eachOf } from "../../store/blobs.ts";
import type { DeploymentRow } from "../../store/code_versions.ts";
import type { Store } from "../../store/store.ts";
import { type Author, authorOf } from "../versions/author.ts";
import type { CodeHistory, Head, MacKey } from "../versions/history.ts";
import { changesBetween, type Tree, type TreeChanges, treeHash } from "../versions/tree.ts";
import type { WorkingCopy } from "../versions/working_copy.ts";
import type { DeploymentFindings, DeploymentProblem } from "./problems.ts";
import { type DeploymentRequest, type FilePlan, filePlan, requireStored, treeAfter } from "./request.ts";
import type { StagedCode } from "./staged_code.ts";

export interface DeploymentPlan {
  readonly files: FilePlan;
  readonly functions: FunctionPlan;
}

export interface Deployment {
  readonly id: number;
  /** The version that calls run from after it; undefined if there has never been a file. */
  readonly version: number | undefined;
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly author: Author;
  readonly message: string;
  readonly plan: DeploymentPlan;
  /** The deployment whose state this one made live again. */
  readonly rollbackOf: number | undefined;
  /** Hash of all files and functions after it. */
  readonly state: Sha256;
}

/** What a deployment would do. */
export interface Rehearsal extends DeploymentFindings {
  readonly plan: DeploymentPlan;
}

/** A commit that is deployed; the actor is who asked for it. */
export interface DeployedCommit {
  /** The commit's. */
  readonly author: Author;
}

export type RollbackRequest = Partial<Pick<DeploymentRequest, "message" | "force" | "ifVersion">>;

/** The error for problems that stop a deployment. */
export class DeploymentProblems extends AppError {
  override readonly facts: { readonly problems: readonly DeploymentProblem[] };

  constructor(problems: readonly DeploymentProblem[]) {
    const [first, ...others] = problems;
    const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
    super("DeploymentProblems", 422, `Nothing was deployed: ${first!.message}${more}`);
    this.facts = { problems };
  }
}

export interface Deployments {
  /**
   * @throws AppError InvalidInput (400), MissingBlobs (409), PreconditionFailed (412), DeploymentProblems (422),
   *   Conflict (409) if something is in the way of a file, and ReadOnly (409) if it is no commit of the source that
   *   all files come from
   */
  deploy(
    actor: Actor,
    request: DeploymentRequest,
    commit?: DeployedCommit,
  ): Promise<{ deployment: Deployment } & DeploymentFindings>;
  /** Checks a deployment and changes nothing. @throws as `deploy`, except DeploymentProblems */
  rehearse(request: DeploymentRequest): Promise<Rehearsal>;
  /**
   * Makes the files and functions that a deployment left live again, as a new deployment. Functions that were renamed
   * since get their name back; those that came later are deleted, with secrets of their own only by `force`.
   * @throws as `deploy`; AppError NotFound (404), TamperedVersion (409)
   */
  rollBack(
    actor: Actor,
    id: number,
    request: RollbackRequest,
  ): Promise<{ deployment: Deployment } & DeploymentFindings>;
  rehearseRollback(id: number, request: RollbackRequest): Promise<Rehearsal>;
  /** @throws AppError NotFound (404), TamperedVersion (409) */
  get(id: number): Deployment;
  /** Returns at most `limit` deployments with an id below `before`, newest first. */
  list(before: number, limit: number): { deployments: Deployment[]; next: number | undefined };
  /** Returns the first deployment after which each of the versions from `from` to `to` was live, by version. */
  ofVersions(from: number, to: number): Map<number, number>;
  /** Returns the hash of all files and functions as they are now. */
  liveState(): Promise<Sha256>;
}

export interface DeploymentsOptions {
  readonly store: Store;
  readonly blobs: Blobs;
  readonly history: CodeHistory;
  readonly workingCopy: WorkingCopy;
  readonly registry: Pick<Registry, "list" | "plan" | "replaceAll">;
  /** Returns the handlers that depend on the file at a path. */
  readonly importers: (path: string) => string[];
  /** Reports whether the imports of a handler are known. */
  readonly isKnown: (handler: string) => boolean;
  readonly stage: (tree: Tree) => Promise<StagedCode>;
  /** Is called for each handler that was checked, once its code is in place. */
  readonly found: (handler: string, version: number, problems: readonly string[]) => void;
  readonly key: MacKey;
  readonly now: () => number;
  readonly record: Recorder;
  /** Throws while files come from elsewhere. */
  readonly requireWritable: () => void;
}

export function createDeployments(options: DeploymentsOptions): Deployments {
  return new DeploymentService(options);
}

/** What a deployment leads to. */
interface Goal {
  readonly message: string;
  readonly tree: (current: Tree) => Promise<Tree>;
  readonly functions: FunctionEntries | undefined;
  readonly ids?: ReadonlyMap<string, FunctionId>;
  readonly prune: boolean;
  readonly force: boolean;
  readonly types: boolean;
  readonly ifVersion: number | undefined;
  readonly rollbackOf: number | null;
  readonly commit?: DeployedCommit | undefined;
}

/** A goal, compared with what is live. */
interface Comparison {
  readonly head: Head;
  readonly tree: Tree;
  readonly changes: TreeChanges;
  readonly functions: PlannedReplacement;
  readonly plan: DeploymentPlan;
  /** The enabled functions whose code or entry is new, and those whose code was not looked at yet. */
  readonly affected: readonly RegisteredFunction[];
}

const DEPLOYMENTS_AT_ONCE = 200;

/** How long a deployment is compared and checked again because other files were changed meanwhile. */
const RETRIES_MS = 30_000;

class DeploymentService implements Deployments {
  readonly #options: DeploymentsOptions;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: DeploymentsOptions) {
    this.#options = options;
  }

  deploy(actor: Actor, request: DeploymentRequest, commit?: DeployedCommit) {
    return this.#inTurn(() => {
      if (!commit) this.#options.requireWritable();
      return this.#deploy(actor, { ...this.#goalOf(request), commit });
    });
  }

  rehearse(request: DeploymentRequest): Promise<Rehearsal> {
    return this.#inTurn(() => this.#rehearse(this.#goalOf(request)));
  }

  rollBack(actor: Actor, id: number, request: RollbackRequest) {
    return this.#inTurn(() => this.#deploy(actor, this.#goalOfRollback(id, request)));
  }

  rehearseRollback(id: number, request: RollbackRequest): Promise<Rehearsal> {
    return this.#inTurn(() => this.#rehearse(this.#goalOfRollback(id, request)));
  }

  get(id: number): Deployment {
    return this.#toDeployment(this.#authentic(id));
  }

  list(before: number, limit: number): { deployments: Deployment[]; next: number | undefined } {
    const { store } = this.#options;
    const { rows, next } = pageOf(store.codeVersions.deployments(before, limit + 1), limit, ({ id }) => id);
    return { deployments: rows.map((row) => this.#toDeployment(row)), next };
  }

  ofVersions(from: number, to: number): Map<number, number> {
    const { store: { codeVersions } } = this.#options;
    const found = new Map<number, number>();
    // Later deployments have the same or later versions.
    let [first, end] = [1, codeVersions.nextDeploymentId()];
    while (first < end) {
      const middle = Math.floor((first + end) / 2);
      if ((codeVersions.deployedVersions(middle, 1)[0]?.versionId ?? 0) < from) first = middle + 1;
      else end = middle;
    }
    for (;;) {
      const rows = codeVersions.deployedVersions(first, DEPLOYMENTS_AT_ONCE);
      for (const { id, versionId } of rows) {
        if (versionId === null) continue;
        if (versionId > to) return found;
        if (!found.has(versionId)) found.set(versionId, id);
      }
      if (rows.length < DEPLOYMENTS_AT_ONCE) return found;
      first = rows.at(-1)!.id + 1;
    }
  }

  async liveState(): Promise<Sha256> {
    const { history, workingCopy } = this.#options;
    await workingCopy.recordAllEdits();
    const { tree, version } = history.head();
    return stateOf(version === undefined ? undefined : treeHash(tree), sha256Of(this.#functionList()));
  }

  /** Deployments and rehearsals come one after the other: each sees what the one before did. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(work);
    this.#queue = run.catch(() => {});
    return run;
  }

  #goalOf({ files, ...request }: DeploymentRequest): Goal {
    const { blobs } = this.#options;
    return { ...request, rollbackOf: null, tree: (current) => treeAfter(current, { ...request, files }, blobs) };
  }

  #goalOfRollback(id: number, { message, force = false, ifVersion }: RollbackRequest): Goal {
    const { store, history } = this.#options;
    const row = this.#authentic(id);
    const list = store.codeVersions.functionList(row.functions);
    if (list === undefined || sha256Of(list) !== row.functions) throw tampered(id);
    const listed = JSON.parse(list) as ListedFunction[];
    return {
      message: message ?? `Rolled back to deployment ${id}`,
      tree: async (current) => {
        const tree: Tree = row.versionId === null ? new Map() : history.tree(row.versionId);
        await requireStored(changesBetween(current, tree), this.#options.blobs);
        return tree;
      },
      functions: new Map(listed.map(({ name, entry }) => [name, entry])),
      ids: new Map(listed.map(({ name, id }) => [name, id])),
      prune: true,
      force,
      types: false,
      ifVersion,
      rollbackOf: id,
    };
  }

  async #compare(goal: Goal): Promise<Comparison> {
    const { history, registry, workingCopy } = this.#options;
    await workingCopy.recordAllEdits();
    const head = history.head();
    if (goal.ifVersion !== undefined && goal.ifVersion !== (head.version ?? 0)) {
      const newest = head.version === undefined ? "there is none" : `the newest is ${head.version}`;
      throw new AppError("PreconditionFailed", 412, `Version ${goal.ifVersion} is not the newest: ${newest}.`);
    }
    const tree = await goal.tree(head.tree);
    const functions = goal.functions ? registry.plan(goal.functions, goal) : {
      plan: { created: [], changed: [], deleted: [], unchanged: registry.list().length },
      problems: [],
      after: registry.list(),
    };
    const plan = { files: filePlan(head.tree, tree), functions: functions.plan };
    const changes = changesBetween(head.tree, tree);
    return { head, tree, changes, functions, plan, affected: this.#affected(changes, functions) };
  }

  async #rehearse(goal: Goal): Promise<Rehearsal> {
    const comparison = await this.#compare(goal);
    await using code = await this.#stage(comparison);
    const { problems, warnings } = await this.#check(comparison, code, goal.types);
    return { plan: comparison.plan, problems, warnings };
  }

  async #deploy(actor: Actor, goal: Goal): Promise<{ deployment: Deployment } & DeploymentFindings> {
    const endsAt = performance.now() + RETRIES_MS;
    for (;;) {
      const comparison = await this.#compare(goal);
      // What is closed is never opened by leaving something out, whatever else is forced.
      for (const { error } of comparison.functions.problems) if (error.status === 400) throw error;
      await using code = await this.#stage(comparison);
      const { problems, warnings } = await this.#check(comparison, code, goal.types);
      const stopping = goal.force ? problems.filter(({ kind }) => kind === "group" || kind === "route") : problems;
      if (stopping.length > 0) throw new DeploymentProblems(stopping);
      await using files = await this.#options.workingCopy.stage(comparison.changes);
      const { store, history, found } = this.#options;
      const change = () => {
        if (history.head().version !== comparison.head.version) return undefined;
        files.check();
        return this.#commit(actor, goal, comparison, code);
      };
      const row = await store.commit(() => store.change(actor, change), (row) => {
        if (!row) return undefined;
        files.apply();
        code?.install(found);
        return row;
      });
      if (!row) {
        if (performance.now() < endsAt) continue;
        throw conflict("The code kept changing while it was checked. Deploy it again.");
      }
      return { deployment: this.#toDeployment(row), problems, warnings };
    }
  }

  #commit(actor: Actor, goal: Goal, { changes, plan }: Comparison, code: StagedCode | undefined): DeploymentRow {
    const { store, history, registry, record, now } = this.#options;
    if (goal.functions) registry.replaceAll(actor, goal.functions, goal);
    code?.storeLocks();
    const author = goal.commit?.author ?? authorOf(actor);
    const version = history.commit(author, goal.commit ? "git" : "deployment", goal.message, changes);
    const list = this.#functionList();
    const fields = {
      id: store.codeVersions.nextDeploymentId(),
      versionId: version ?? null,
      rollbackOf: goal.rollbackOf,
      at: now(),
      actorKind: author.kind,
      actorId: author.id,
      actorName: author.name,
      message: goal.message,
      plan: JSON.stringify(plan),
      functions: sha256Of(list),
    };
    const row = { ...fields, mac: this.#macOf(fields) };
    store.codeVersions.addDeployment(row, list);
    const counts = ({ created, changed, deleted }: FilePlan | FunctionPlan) => ({
      created: created.length,
      changed: changed.length,
      deleted: deleted.length,
    });
    record(actor, {
      action: "code.deployed",
      subject: { kind: "deployment", id: row.id, name: goal.message },
      after: {
        version: row.versionId,
        ...(row.rollbackOf !== null && { rollbackOf: row.rollbackOf }),
        ...(goal.commit && { commit: author.id }),
        files: counts(plan.files),
        functions: counts(plan.functions),
      },
    });
    return row;
  }

  /** Makes the copy that is checked; none if nothing is to be checked. */
  async #stage(comparison: Comparison): Promise<StagedCode | undefined> {
    return comparison.affected.length === 0 ? undefined : await this.#options.stage(comparison.tree);
  }

  async #check(comparison: Comparison, code: StagedCode | undefined, types: boolean): Promise<DeploymentFindings> {
    const problems: DeploymentProblem[] = comparison.functions.problems.map(({ kind, function: name, message }) => ({
      kind,
      function: name,
      message,
    }));
    const warnings: DeploymentProblem[] = [];
    const found = new Map<string, DeploymentFindings>();
    const { affected } = comparison;
    await eachOf(affected, async (entry) => void found.set(entry.name, await code!.check(entry, types)));
    for (const { name } of affected) {
      problems.push(...found.get(name)!.problems);
      warnings.push(...found.get(name)!.warnings);
    }
    return { problems, warnings };
  }

  #affected(changes: TreeChanges, { plan, after }: PlannedReplacement): RegisteredFunction[] {
    const { importers, isKnown } = this.#options;
    const handlers = new Set([...changes.keys()].flatMap((path) => [path, ...importers(path)]));
    const names = new Set([...plan.created, ...plan.changed]);
    return after.filter(({ name, handler, enabled }) =>
      enabled && (names.has(name) || handlers.has(handler) || !isKnown(handler))
    );
  }

  /** Returns all functions as JSON. */
  #functionList(): string {
    const listed = this.#options.registry.list().map((one): ListedFunction => ({
      id: one.id,
      name: one.name,
      entry: entryOf(one),
    }));
    return JSON.stringify(listed);
  }

  #authentic(id: number): DeploymentRow {
    const row = this.#options.store.codeVersions.findDeployment(id);
    if (!row) throw notFound("deployment", id);
    const { mac, ...fields } = row;
    if (Buffer.compare(mac, this.#macOf(fields)) !== 0) throw tampered(id);
    return row;
  }

  #macOf(row: Omit<DeploymentRow, "mac">): Uint8Array {
    const { id, versionId, rollbackOf, at, actorKind, actorId, actorName, message, plan, functions } = row;
    const fields = [id, versionId, rollbackOf, at, actorKind, actorId, actorName, message, plan, functions];
    return this.#options.key.mac(JSON.stringify(["deployment", ...fields]));
  }

  #toDeployment(row: DeploymentRow): Deployment {
    const { id, versionId, rollbackOf, at, actorKind, actorId, actorName, message, plan, functions } = row;
    const tree = versionId === null ? undefined : this.#options.store.codeVersions.find(versionId)?.tree;
    return {
      id,
      version: versionId ?? undefined,
      at,
      author: { kind: actorKind as Author["kind"], id: actorId, name: actorName },
      message,
      plan: JSON.parse(plan) as DeploymentPlan,
      rollbackOf: rollbackOf ?? undefined,
      state: stateOf(tree, functions),
    };
  }
}

/** A function in the list of a deployment. */
interface ListedFunction {
  readonly id: FunctionId;
  readonly name: string;
  readonly entry: FunctionEntry;
}

function stateOf(tree: Sha256 | undefined, functions: Sha256): Sha256 {
  return sha256Of(JSON.stringify([tree ?? null, functions]));
}

function tampered(id: number): AppError {
  return new AppError(
    "TamperedVersion",
    409,
    `Deployment ${id} was altered by something other than this program, and cannot be used.`,
  );
}
