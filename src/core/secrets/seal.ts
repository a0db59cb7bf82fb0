// Implements the rules of seals: which changes of a sealed secret need its value to be given again, as they let it go
// where it could not go before.

import { Buffer } from "node:buffer";
import { AppError, invalid } from "../../errors.ts";
import { type Scope, SCOPES } from "../../ids.ts";
import { isCoveredBy, parseHostPattern, SEND_PLACES, type SendPlace } from "../../sealed.ts";
import type { Seal } from "../../store/secrets.ts";

/** Shorter values would be found in harmless text, and are guessed too easily. */
export const SEALED_MIN_BYTES = 8;
/** Hosts of one secret. */
export const HOSTS_MAX = 100;

export const UNSEALED: Seal = { sealed: false, hosts: [], places: ["header"] };

/** What an input says about the seal; what is undefined stays. */
export interface SealInput {
  readonly sealed?: boolean | undefined;
  /** As they were given. */
  readonly hosts?: readonly string[] | undefined;
  readonly places?: readonly SendPlace[] | undefined;
}

/** Returns the seal of a new secret. @throws AppError InvalidInput (400) */
export function newSeal(input: SealInput, value: string): Seal {
  const seal = sealOf(UNSEALED, input);
  if (seal.sealed) checkSealable(value);
  return seal;
}

/**
 * Returns the seal of a secret after a change. `value` is the new value, and undefined if it stays: `current` then
 * returns the stored one.
 * @throws AppError InvalidInput (400), also where the value has to be given again
 */
export function changedSeal(
  before: Seal,
  input: SealInput,
  { value, isRenamed, current }: { value: string | undefined; isRenamed: boolean; current: () => string },
): Seal {
  const after = sealOf(before, input);
  if (value === undefined && before.sealed) {
    const reason = isRenamed ? "rename a sealed secret" : loosened(before, after);
    if (reason !== undefined) throw invalid("value", `must be given again to ${reason}`);
  }
  if (after.sealed) checkSealable(value ?? (before.sealed ? undefined : current()));
  return after;
}

/** @throws AppError InvalidInput (400) if a sealed secret would get a wider scope without its value */
export function checkNotWidened({ sealed }: Pick<Seal, "sealed">, from: Scope, to: Scope): void {
  // The narrowest scope is first.
  if (sealed && SCOPES.indexOf(to) > SCOPES.indexOf(from)) {
    throw invalid(
      "scope",
      "must not be wider than it was, as a value of the secret is sealed; create it there instead",
    );
  }
}

/**
 * Checks the kept versions of a secret that gets another name. Each could be made the current one there without its value,
 * for functions that may ask for the new name only; a new value in the same request would make the current one such a
 * version.
 * @throws AppError InvalidInput (400)
 */
export function checkNoneComesAlong(versions: readonly { readonly number: number; readonly sealed: boolean }[]): void {
  const sealed = versions.filter((version) => version.sealed).map(({ number }) => number).reverse();
  if (sealed.length === 0) return;
  throw invalid(
    "name",
    `must not change, as the sealed ${sealed.length === 1 ? "value of version" : "values of versions"} ` +
      `${sealed.join(", ")} would come along to functions that may not ask for this name; create a secret with the ` +
      "other name and delete this one, or purge earlier versions and rename with the same value",
  );
}

/** Returns what a change allows in addition, to follow "to"; undefined if nothing. */
function loosened(before: Seal, after: Seal): string | undefined {
  if (!after.sealed) return "unseal it";
  const host = after.hosts.find((one) => !isCoveredBy(one, before.hosts));
  if (host !== undefined) return `add the host ${host}`;
  const place = after.places.find((one) => !before.places.includes(one));
  return place === undefined ? undefined : `put it into the ${place} of requests`;
}

function sealOf(before: Seal, { sealed = before.sealed, hosts, places }: SealInput): Seal {
  if (!sealed) {
    if (hosts !== undefined && hosts.length > 0) {
      throw invalid("hosts", "must not be given for a secret that is not sealed");
    }
    if (places !== undefined) throw invalid("in", "must not be given for a secret that is not sealed");
    return UNSEALED;
  }
  const parsed = hosts === undefined ? before.hosts : parseHosts(hosts);
  if (parsed.length === 0) throw invalid("hosts", "must name at least one host for a sealed secret");
  if (places?.length === 0) throw invalid("in", "must name at least one place");
  // In one order, so that the same places are the same seal.
  const chosen = places ?? before.places;
  return { sealed, hosts: parsed, places: SEND_PLACES.filter((place) => chosen.includes(place)) };
}

/** Returns the hosts in their only form, each once. @throws AppError InvalidInput (400) */
function parseHosts(hosts: readonly string[]): string[] {
  if (hosts.length > HOSTS_MAX) throw invalid("hosts", `must have at most ${HOSTS_MAX} entries`);
  const parsed = hosts.map((entry, index) => {
    const pattern = parseHostPattern(entry);
    if (pattern !== undefined) return pattern;
    throw new AppError("InvalidInput", 400, `hosts.${index} ${HOST_PROBLEM}`, { [`hosts.${index}`]: HOST_PROBLEM });
  });
  return [...new Set(parsed)];
}

export const HOST_PROBLEM =
  "must be a host such as api.example.com, *.example.com:8443 or, without encryption, http://127.0.0.1:8080";

/** Reports whether a value is long enough to be found in answers, without white space around it, which hosts drop. */
export function isSealable(value: string): boolean {
  return Buffer.byteLength(value.trim()) >= SEALED_MIN_BYTES;
}

/** @throws AppError InvalidInput (400) */
function checkSealable(value: string | undefined): void {
  if (value !== undefined && !isSealable(value)) {
    throw invalid("value", `must have at least ${SEALED_MIN_BYTES} bytes, without white space around it, to be sealed`);
  }
}
