// Defines a function as it is registered, as it is wanted, and as crude.json describes it, and converts among them.

import { type AppError, notFound, notFoundByName } from "../../errors.ts";
import type { GroupId, GroupRef } from "../../ids.ts";
import type { AccessStore } from "../../store/access.ts";
import type { FunctionFields, FunctionRow } from "../../store/functions.ts";
import { checkHandlerPath } from "./file_paths.ts";
import { type Confinement, DEFAULT_CONFINEMENT } from "./permissions.ts";
import { checkRoute, decodedRoute, routeKey } from "./router.ts";

/** A registered function. */
export interface RegisteredFunction extends Omit<FunctionRow, "confinement" | "groups">, Confinement {
  /** The groups whose keys may call it; empty if it is public. */
  readonly keys: readonly GroupId[];
}

export interface NewFunction extends Partial<Confinement> {
  readonly name: string;
  readonly description: string;
  readonly handler: string;
  readonly route: string;
  readonly methods: readonly string[];
  /** Groups whose keys may call it, by id or name. */
  readonly keys: readonly GroupRef[];
  readonly enabled: boolean;
}

/** What to change; what is undefined stays. */
export type FunctionChange = { [K in keyof NewFunction]?: NewFunction[K] | undefined };

/**
 * A whole function without its name. Fields that are undefined get their defaults, except on an existing function:
 * there `enabled` stays, and `keys` or `secrets` must not be left out if they limit it.
 */
export interface FunctionEntry extends Omit<FunctionChange, "name" | "handler" | "route"> {
  readonly handler: string;
  readonly route: string;
}

/** Entries by the names of their functions. */
export type FunctionEntries = ReadonlyMap<string, FunctionEntry>;

export function toFunction({ groups, confinement, ...row }: FunctionRow): RegisteredFunction {
  return { ...row, keys: groups, ...confinementOf(JSON.parse(confinement)) };
}

/** Returns the entry that describes a function completely. */
export function entryOf(
  { id: _id, name: _name, createdAt: _createdAt, updatedAt: _updatedAt, ...entry }: RegisteredFunction,
): FunctionEntry {
  return entry;
}

/** Returns `wanted` with the default for each field that is undefined. */
export function confinementOf(wanted: { readonly [K in keyof Confinement]?: Confinement[K] | undefined }): Confinement {
  const {
    permissions = DEFAULT_CONFINEMENT.permissions,
    secrets = DEFAULT_CONFINEMENT.secrets,
    isolation = DEFAULT_CONFINEMENT.isolation,
    responseGuard = DEFAULT_CONFINEMENT.responseGuard,
    cors = DEFAULT_CONFINEMENT.cors,
    timeoutMs = DEFAULT_CONFINEMENT.timeoutMs,
    memoryMb = DEFAULT_CONFINEMENT.memoryMb,
    files = DEFAULT_CONFINEMENT.files,
    trial,
  } = wanted;
  const limits = { permissions, secrets, isolation, responseGuard, cors, timeoutMs, memoryMb, files };
  return trial ? { ...limits, trial } : limits;
}

/** @throws AppError InvalidInput (400) for its handler or route */
export function checkEntry({ handler, route }: Pick<NewFunction, "handler" | "route">): void {
  checkHandlerPath(handler);
  checkRoute(route);
}

/** Returns what is stored of `wanted`, which was checked: lists have each member once, in order. */
export function toFields(wanted: NewFunction, groups: readonly GroupId[]): FunctionFields {
  const { name, description, handler, enabled } = wanted;
  const route = decodedRoute(wanted.route);
  return {
    name,
    description,
    handler,
    route,
    routeKey: routeKey(route),
    methods: [...new Set(wanted.methods)].sort(),
    groups: [...new Set(groups)].sort((a, b) => a - b),
    confinement: JSON.stringify(confinementOf(wanted)),
    enabled,
  };
}

/** A group that was found, or the error that names where it was asked for. */
export type FoundGroup = { readonly id: GroupId; readonly error?: undefined } | { readonly error: AppError };

/** Looks up groups by id or name; errors call the first one `<field>.0`. */
export function findGroups(store: AccessStore, refs: readonly GroupRef[], field: string): FoundGroup[] {
  return refs.map((ref, index): FoundGroup => {
    const at = `${field}.${index}`;
    const row = typeof ref === "string" ? store.groupByName(ref) : store.group(ref);
    if (row) return { id: row.id };
    return { error: typeof ref === "string" ? notFoundByName("key group", ref, at) : notFound("key group", ref, at) };
  });
}
