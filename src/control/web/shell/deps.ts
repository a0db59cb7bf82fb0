// What the admin pages are made of: the services behind them, and what is known of each request.

import type { Hono } from "hono";
import type { AdminActor, Origin } from "../../../actor.ts";
import type { AdminId, FunctionId, SessionId } from "../../../ids.ts";
import type { DerivedKey } from "../../../keyring/derived_key.ts";
import type { SecretMatrix } from "../../../core/secrets/matrix.ts";
import type { TypeCheck } from "../../../code/checks/type_check.ts";
import type { SecretReferences } from "../../../core/secrets/references.ts";
import type { ApiDeps } from "../../services.ts";
import type { Client } from "../../../http/client_address.ts";

/** The pages use the same services as the API, in the same process: nothing is asked over HTTP. */
export interface WebDeps extends ApiDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Secrets by name and owner, for the secrets pages. */
  readonly overview: SecretMatrix;
  /** Ids of the functions that rest now, as their isolates kept dying. */
  readonly suspended: () => readonly FunctionId[];
  /** What this machine lacks that would hold sandboxes better, in sentences. */
  readonly sandboxWarnings: readonly string[];
  /** What something other than this program did to the database, in words. */
  readonly alterations: () => readonly string[];
  /** Whether something other than this program has written a row: nothing of it counts, and it can only be deleted. */
  readonly isAltered: (table: AlterableTable, id: number) => boolean;
  /** Aborted when the server ends. */
  readonly closing: AbortSignal;
  /** Answers a request under /run, as it does those that come over HTTP. */
  readonly run: (request: Request) => Promise<Response>;
  readonly asked: SecretReferences;
  /** Authenticates what one page has the next one say. */
  readonly noticeKey: DerivedKey;
  /** Modules that were looked at before and depend on the file at `path`. */
  readonly importers: (path: string) => readonly string[];
  readonly typeCheck: TypeCheck;
}

/** Tables of what has a page of its own. */
export type AlterableTable = "admins" | "api_keys" | "functions" | "key_groups" | "secrets";

/** Who is signed in, as the pages show it. */
export interface SignedIn {
  readonly id: AdminId;
  readonly name: string;
  readonly email: string;
  readonly sessionId: SessionId;
}

export interface WebEnv {
  Bindings: Client;
  Variables: {
    requestId: string;
    /** Of the program, for the footer. */
    version: string;
    /** What was posted, once it was read. */
    body: Uint8Array<ArrayBuffer> | undefined;
    /** Set on every page behind the guard. */
    admin: SignedIn;
    /** The same, for services; set there, too. */
    actor: AdminActor & Origin;
    noticeKey: DerivedKey;
    /** What the last page did, to be told once on this one. */
    notice: string | undefined;
    /** What something other than this program did to the database, in words. */
    alterations: readonly string[];
    /** How far a newcomer is; nothing once there is nothing to lead to. */
    firstSteps: () => { readonly done: number; readonly of: number } | undefined;
  };
}

export type Web = Hono<WebEnv>;
