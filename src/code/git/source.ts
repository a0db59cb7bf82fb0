// Keeps the git repository that the files of the code folder come from, and the outcome of the last sync.

import type { Actor, Recorder } from "../../actor.ts";
import { AppError, notFound } from "../../errors.ts";
import type { SettingsStore } from "../../store/settings.ts";
import type { Store } from "../../store/store.ts";
import { type ExpectedVersions, requireVersion, type Version, versionOf } from "../../versions.ts";
import type { DeploymentProblem } from "../deployments/problems.ts";

export const REF_KINDS = ["branch", "tag", "commit"] as const;
export type RefKind = (typeof REF_KINDS)[number];

export interface GitSource {
  /** An `https:` URL without credentials. */
  readonly url: string;
  readonly kind: RefKind;
  /** The name of the branch or tag, or the commit's id. */
  readonly name: string;
  /** The folder of the repository that becomes the code folder; "" for all of it. */
  readonly folder: string;
  readonly username: string;
  /** The name of the global secret with the token; null for a public repository. */
  readonly tokenSecret: string | null;
  /** The name of the global secret that webhooks are signed with; null if there are none. */
  readonly webhookSecret: string | null;
  /** How often to look for a new commit; null for never. */
  readonly intervalSeconds: number | null;
}

export interface LastSync {
  /** Milliseconds since 1970 UTC. */
  readonly at: number;
  readonly outcome: "deployed" | "failed";
  /** Whether the same commit would have the same outcome, so that it is not tried again unasked. */
  readonly isFinal: boolean;
  /** Undefined if it failed before the commit was known. */
  readonly commit?: string;
  /** Id of the deployment, if there is one. */
  readonly deployment?: number;
  /** A sentence, if it failed. */
  readonly error?: string;
  readonly problems?: readonly DeploymentProblem[];
}

export interface GitSources {
  get(): GitSource | undefined;
  version(): Version;
  /** @throws AppError PreconditionFailed (412) */
  set(actor: Actor, source: GitSource, expected?: ExpectedVersions): void;
  /** @throws AppError NotFound (404), PreconditionFailed (412) */
  remove(actor: Actor, expected?: ExpectedVersions): void;
  /** Returns the outcome of the last sync of the present source. */
  lastSync(): LastSync | undefined;
  /** Keeps an outcome, unless the source is no longer the one of `version`. */
  keep(sync: LastSync, version: Version): Promise<void>;
  /** Calls `listener` when another source, or none, is stored. */
  onChange(listener: () => void): void;
  /** @throws AppError ReadOnly (409) while files come from a repository */
  requireWritable(): void;
}

export interface GitSourcesOptions {
  readonly store: Pick<Store, "settings" | "change" | "commit" | "onApplied">;
  readonly record: Recorder;
}

/** Rows of the table of settings, which is authenticated. They are none of /api/settings. */
const SOURCE = "git.source";
const LAST_SYNC = "git.last-sync";

export function createGitSources({ store, record }: GitSourcesOptions): GitSources {
  const listeners: (() => void)[] = [];
  let { source, last } = load(store.settings);
  store.onApplied((rows) => {
    const names = rows.filter(({ table }) => table === "settings").map(({ values: [name] }) => name);
    if (!names.includes(SOURCE) && !names.includes(LAST_SYNC)) return;
    ({ source, last } = load(store.settings));
    if (names.includes(SOURCE)) { for (const listener of listeners) listener(); }
  });

  const discardAltered = () => [SOURCE, LAST_SYNC].forEach((name) => store.settings.discardAltered(name));
  const subject = ({ url }: GitSource) => ({ kind: "git-source", id: null, name: url });
  const version = () => versionOf(source ?? null);

  return {
    get: () => source,
    version,

    set(actor, next, expected) {
      requireVersion(expected, version(), "the git source");
      discardAltered();
      const before = source;
      // A new token, name of a secret or interval leaves the files what they are.
      const isSame = before !== undefined && filesOf(before) === filesOf(next);
      store.change(actor, () => {
        store.settings.put(SOURCE, JSON.stringify(next));
        if (!isSame) store.settings.delete(LAST_SYNC);
        const facts = { before: before && { ...before }, after: { ...next } };
        record(actor, { action: "git-source.set", subject: subject(next), ...facts });
      });
    },

    remove(actor, expected) {
      const before = source;
      if (!before) throw notFound("git source", "to remove");
      requireVersion(expected, version(), "the git source");
      discardAltered();
      store.change(actor, () => {
        for (const name of [SOURCE, LAST_SYNC]) store.settings.delete(name);
        record(actor, { action: "git-source.removed", subject: subject(before), before: { ...before } });
      });
    },

    lastSync: () => last,

    keep: (sync, of) =>
      store.commit(() => {
        if (of !== version()) return;
        discardAltered();
        store.settings.put(LAST_SYNC, JSON.stringify(sync));
      }),

    onChange: (listener) => void listeners.push(listener),

    requireWritable() {
      if (source) {
        throw new AppError(
          "ReadOnly",
          409,
          `The files come from ${describeSource(source)}, and can only be changed there. Nothing was changed.`,
        );
      }
    },
  };
}

function load(settings: SettingsStore): { source: GitSource | undefined; last: LastSync | undefined } {
  const stored = new Map(settings.list().map(({ name, value }) => [name, value]));
  const parsed = <T>(name: string) => stored.has(name) ? JSON.parse(stored.get(name)!) as T : undefined;
  return { source: parsed<GitSource>(SOURCE), last: parsed<LastSync>(LAST_SYNC) };
}

/** Returns what determines the files, as one text. */
function filesOf({ url, kind, name, folder }: GitSource): string {
  return JSON.stringify([url, kind, name, folder]);
}

export function describeSource({ url, kind, name }: GitSource): string {
  return `${url} (${kind} ${name})`;
}
