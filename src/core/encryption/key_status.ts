// Describes rotations, the encryption keys and the values that need them.

import type { KeyFile } from "../../keyring/key_file.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { CiphertextStore } from "../../store/ciphertexts.ts";
import { SEALS_MAX } from "./encryption_counter.ts";
import type { Unreadable } from "./reencryption.ts";
import type { RotationState } from "./rotation_state.ts";

export interface RotationOutcome {
  readonly currentVersion: number;
  readonly reencrypted: number;
  readonly unreadable: Unreadable;
}

/** Times in milliseconds since 1970 UTC. */
export interface RotationStatus {
  /** Before the first rotation: when the key was created. */
  readonly lastRotationAt: number;
  readonly daysSinceRotation: number;
  readonly nextRotationAt: number;
  readonly rotationIntervalDays: number;
  readonly currentVersion: number;
  /** Values processed, of those that were not of the current version; null while no rotation is running. */
  readonly progress: { readonly done: number; readonly total: number } | null;
  /** Versions that values in the database need and the key file does not contain. */
  readonly missingVersions: { readonly version: number; readonly values: number }[];
}

/** Describes the encryption keys, without the keys themselves. Times in milliseconds since 1970 UTC. */
export interface KeysStatus {
  readonly keyFile: string;
  /** Whether a passphrase protects it. */
  readonly isWrapped: boolean;
  /** In ascending order. */
  readonly versions: readonly {
    readonly version: number;
    readonly createdAt: number;
    /** How many values are encrypted with it. */
    readonly values: number;
    /** When it will be dropped; undefined while it is in use. */
    readonly keptUntil: number | undefined;
  }[];
  /** How many values have no readable version. */
  readonly damaged: number;
  /** Number of encryptions with the current key; after `sealsMax` it is replaced. */
  readonly seals: number;
  readonly sealsMax: number;
}

/** How and when the last rotation since the start of the process ended. */
export type LastRotation =
  & { readonly at: number }
  & ({ readonly outcome: RotationOutcome } | { readonly failure: string });

type RetiredVersions = RotationState["retired"];

/** Returns the versions of the keys, with what they are used for. */
export function describeKeys(
  keyFile: KeyFile,
  ciphertexts: CiphertextStore,
  { retired, keptMs, seals }: { readonly retired: RetiredVersions; readonly keptMs: number; readonly seals: number },
): KeysStatus {
  return {
    keyFile: keyFile.path,
    isWrapped: keyFile.isWrapped,
    versions: keyFile.versions().map(({ version, createdAt }) => {
      const since = retired.find((known) => known.version === version)?.since;
      return {
        version,
        createdAt: Date.parse(createdAt),
        values: ciphertexts.count(version),
        keptUntil: since === undefined ? undefined : since + keptMs,
      };
    }),
    damaged: ciphertexts.count(0),
    seals,
    sealsMax: SEALS_MAX,
  };
}

/** Returns the versions that values need and the key file does not contain. */
export function missingVersions(keyring: Keyring, ciphertexts: CiphertextStore): RotationStatus["missingVersions"] {
  return ciphertexts.versions()
    .filter((version) => version > 0 && !keyring.has(version))
    .map((version) => ({ version, values: ciphertexts.count(version) }));
}

/** Returns the versions of the key file that no value uses, and since when; those in `known` keep their time. */
export function retiredVersions(
  { keyring, versions }: Pick<KeyFile, "keyring"> & { readonly versions: readonly { readonly version: number }[] },
  ciphertexts: CiphertextStore,
  known: RetiredVersions,
  now: number,
): RetiredVersions {
  const used = [...ciphertexts.versions(), keyring.currentVersion];
  return versions.filter(({ version }) => !used.includes(version)).map(({ version }) =>
    known.find((each) => each.version === version) ?? { version, since: now }
  );
}

/** Describes unreadable values by their ids. */
export function describeUnreadable({ values, secrets, secretVersions, apiKeys }: Unreadable): string {
  const list = (what: string, ids: readonly number[]) => ids.length > 0 ? [`${what} ${ids.join(", ")}`] : [];
  const parts = [
    ...list("secrets", secrets),
    ...list("earlier values of secrets", [...new Set(secretVersions)]),
    ...list("API keys", apiKeys),
  ];
  const listed = parts.join("; ");
  const rest = values - secrets.length - secretVersions.length - apiKeys.length;
  const more = listed === "" ? "of key versions that are missing" : `and ${rest} more`;
  const where = [listed, rest > 0 ? more : ""].filter(Boolean).join(" ");
  const what = values === 1
    ? "1 value could not be read and stays as it is"
    : `${values} values could not be read and stay as they are`;
  return `${what}: ${where}.`;
}
