// Deploys commits of the git source: on demand, when its server announces a push, and at intervals.

import { type Actor, SERVER } from "../../actor.ts";
import { AppError, conflict, invalid, messageOf, notFound } from "../../errors.ts";
import type { FunctionEntries } from "../../core/functions/registry.ts";
import { type Sha256, sha256Of } from "../../sha256.ts";
import { type Blobs, eachOf } from "../../store/blobs.ts";
import { ALONE, type OncePerCluster } from "../../once_per_cluster.ts";
import type { Level } from "../../telemetry/log.ts";
import { oneLine } from "../../text.ts";
import type { ExpectedVersions, Version } from "../../versions.ts";
import { type Deployment, DeploymentProblems, type Deployments, type Rehearsal } from "../deployments/deployments.ts";
import type { DeploymentFindings } from "../deployments/problems.ts";
import type { DeploymentRequest } from "../deployments/request.ts";
import { type Fetched, type GitFetcher, syncFailed } from "./fetch.ts";
import { describeSource, type GitSource, type GitSources, type LastSync } from "./source.ts";

export interface GitSync {
  /**
   * Deploys the newest commit, also if it is the one that was deployed last.
   * @throws AppError NotFound (404) without a source, SyncFailed (502), and as `Deployments.deploy`
   */
  sync(actor: Actor, options: { force: boolean }): Promise<{ deployment: Deployment } & DeploymentFindings>;
  /** Returns what the newest commit would change. @throws as `sync` */
  rehearse(options: { force: boolean }): Promise<Rehearsal>;
  /**
   * Deploys the newest commit soon, unless it is the one that was tried last. Several requests before it begins count
   * as one. Never throws: the outcome is kept and logged.
   */
  requestSync(): void;
  /** Begins to look for commits at the interval of the source. */
  start(): void;
  /**
   * Sets the source, and applies its interval.
   * @throws AppError InvalidInput (400) for a secret that cannot be read, PreconditionFailed (412)
   */
  setSource(actor: Actor, source: GitSource, expected?: ExpectedVersions): void;
  /** @throws AppError NotFound (404), PreconditionFailed (412) */
  removeSource(actor: Actor, expected?: ExpectedVersions): void;
  /** Stops; resolves when what runs has ended, which is soon after its process was killed. */
  stop(): Promise<void>;
}

export interface GitSyncOptions {
  readonly sources: GitSources;
  readonly fetcher: GitFetcher;
  readonly blobs: Pick<Blobs, "put">;
  readonly deployments: Pick<Deployments, "deploy" | "rehearse">;
  /** Returns the value of a global secret. @throws AppError with a sentence about why there is none */
  readonly secretValue: (name: string) => string;
  /** Parses crude.json. @throws AppError InvalidInput (400) */
  readonly parseFunctions: (source: string) => FunctionEntries;
  readonly now: () => number;
  readonly report: (level: Level, message: string) => void;
  /** Keeps the nodes of a cluster from doing the same; by default, there is none. */
  readonly once?: OncePerCluster;
}

/** Nodes do not deploy commits at the same time. */
const LOCK = "git";

export function createGitSync(options: GitSyncOptions): GitSync {
  return new GitSyncService(options);
}

const CRUDE_JSON = "crude.json";
const MESSAGE_MAX_LENGTH = 500;
const AUTHOR_MAX_LENGTH = 200;

/** A commit whose contents are stored. */
interface StoredCommit {
  readonly commit: string;
  readonly author: string;
  readonly request: Omit<DeploymentRequest, "force">;
}

class GitSyncService implements GitSync {
  readonly #options: GitSyncOptions;
  #queue: Promise<unknown> = Promise.resolve();
  #isRequested = false;
  readonly #once: OncePerCluster;
  readonly #stopping = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: GitSyncOptions) {
    this.#options = options;
    this.#once = options.once ?? ALONE;
    options.sources.onChange(() => this.#startTimer());
  }

  sync(actor: Actor, { force }: { force: boolean }) {
    return this.#alone(async () => {
      const deployed = await this.#attempt(actor, { force, known: null });
      return deployed!;
    });
  }

  rehearse({ force }: { force: boolean }): Promise<Rehearsal> {
    return this.#inTurn(async () => {
      const source = this.#source();
      const rehearsal = await this.#fetch(
        source,
        null,
        ({ request }) => this.#options.deployments.rehearse({ ...request, force }),
      );
      return rehearsal!;
    });
  }

  requestSync(): void {
    if (this.#isRequested || this.#isStopping) return;
    this.#isRequested = true;
    void this.#alone(async () => {
      this.#isRequested = false;
      const { sources } = this.#options;
      if (!sources.get()) return;
      const last = sources.lastSync();
      await this.#attempt(SERVER, { force: false, known: last?.isFinal && last.commit || null });
    }).catch(() => {
      // It is kept and logged.
    });
  }

  start(): void {
    if (this.#options.sources.get()?.intervalSeconds) this.#look();
    this.#startTimer();
  }

  setSource(actor: Actor, source: GitSource, expected?: ExpectedVersions): void {
    for (const field of ["tokenSecret", "webhookSecret"] as const) {
      const name = source[field];
      if (name !== null && !this.#isReadable(name)) {
        throw invalid(field, `names "${name}", which is no global secret that can be read`);
      }
    }
    this.#options.sources.set(actor, source, expected);
  }

  removeSource(actor: Actor, expected?: ExpectedVersions): void {
    this.#options.sources.remove(actor, expected);
  }

  #isReadable(name: string): boolean {
    try {
      this.#options.secretValue(name);
      return true;
    } catch (error) {
      if (error instanceof AppError) return false;
      throw error;
    }
  }

  /** Starts to look for commits at the interval of the source, if it has one. */
  #startTimer(): void {
    clearInterval(this.#timer);
    const seconds = this.#options.sources.get()?.intervalSeconds;
    if (!seconds || this.#isStopping) return;
    this.#timer = setInterval(() => this.#look(), seconds * 1_000);
    Deno.unrefTimer(this.#timer);
  }

  /** One node of a cluster looks. */
  #look(): void {
    if (this.#once.leads) this.requestSync();
  }

  async stop(): Promise<void> {
    this.#stopping.abort(syncFailed("The server is stopping."));
    clearInterval(this.#timer);
    await this.#options.fetcher.close();
    await this.#queue;
  }

  /** Runs `work` when nothing else of this node, and no other node, deploys commits. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    return this.#inTurn(() => this.#once.exclusively(LOCK, work, this.#stopping.signal));
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#queue.then(() => {
      this.#stopping.signal.throwIfAborted();
      return work();
    });
    this.#queue = run.catch(() => {});
    return run;
  }

  #source(): GitSource {
    const source = this.#options.sources.get();
    if (!source) throw notFound("git source", "to sync from");
    return source;
  }

  /** Deploys a commit and keeps the outcome; undefined if it is `known`. */
  async #attempt(actor: Actor, { force, known }: { force: boolean; known: string | null }) {
    const { sources, deployments, now, report } = this.#options;
    const source = this.#source();
    const version = sources.version();
    let commit: string | undefined;
    try {
      const deployed = await this.#fetch(source, known, (stored) => {
        commit = stored.commit;
        if (sources.version() !== version) throw conflict("The git source was changed in the meantime. Sync again.");
        const author = { kind: "git" as const, id: stored.commit, name: stored.author };
        return deployments.deploy(actor, { ...stored.request, force }, { author });
      }, (fetched) => commit = fetched);
      if (!deployed) return undefined;
      const deployment = deployed.deployment.id;
      await sources.keep({ at: now(), outcome: "deployed", isFinal: true, commit: commit!, deployment }, version);
      report("info", `Deployed commit ${commit} of ${describeSource(source)}.`);
      return deployed;
    } catch (error) {
      if (!this.#isStopping) await this.#keepFailure(error, source, version, commit);
      throw error;
    }
  }

  async #keepFailure(
    error: unknown,
    source: GitSource,
    version: Version,
    commit: string | undefined,
  ): Promise<void> {
    const { sources, now, report } = this.#options;
    const sentence = error instanceof AppError ? error.message : "The server failed; its log has the cause.";
    const failure: LastSync = {
      at: now(),
      outcome: "failed",
      // Problems of the commit itself.
      isFinal: error instanceof AppError && (error.status === 400 || error.status === 422),
      ...(commit !== undefined && { commit }),
      error: sentence,
      ...(error instanceof DeploymentProblems && { problems: error.facts.problems }),
    };
    const last = sources.lastSync();
    const isNews = last?.error !== sentence || last.commit !== commit;
    // An unreachable server is reported once, not at each interval.
    if (!isNews) return;
    await sources.keep(failure, version);
    report("warn", `${describeSource(source)} could not be synced: ${messageOf(error)}`);
  }

  /** Fetches the commit of a source, stores its contents, and calls `use`. */
  async #fetch<T>(
    source: GitSource,
    known: string | null,
    use: (stored: StoredCommit) => Promise<T>,
    found: (commit: string) => void = () => {},
  ): Promise<T | undefined> {
    const { fetcher, secretValue } = this.#options;
    const token = source.tokenSecret === null ? null : secretValue(source.tokenSecret);
    return await fetcher.fetch({ source, token, known }, async (fetched) => {
      found(fetched.commit);
      return await use(await this.#store(fetched));
    });
  }

  async #store({ commit, author, message, files }: Fetched): Promise<StoredCommit> {
    const { blobs, parseFunctions } = this.#options;
    const hashes = new Map<string, Sha256>();
    let functions: FunctionEntries | undefined;
    await eachOf(files, async ({ path, read }) => {
      const content = await read();
      const sha256 = sha256Of(content);
      await blobs.put(sha256, content);
      hashes.set(path, sha256);
      if (path === CRUDE_JSON) functions = parseFunctions(new TextDecoder().decode(content));
    });
    const [subject = ""] = message.split("\n");
    return {
      commit,
      author: oneLine(`${author.name} <${author.email}>`).slice(0, AUTHOR_MAX_LENGTH),
      request: {
        message: oneLine(subject.trim()).slice(0, MESSAGE_MAX_LENGTH),
        files: hashes,
        functions,
        prune: true,
        types: false,
        ifVersion: undefined,
      },
    };
  }
}
