// Declares the services that the admin pages use, and the state of a request to them.

import type { Hono } from "hono";
import type { AdminActor, Origin } from "../../../actor.ts";
import type { AdminId, FunctionId, SessionId } from "../../../ids.ts";
import type { Preferences } from "../../../core/admins/preferences.ts";
import type { DerivedKey } from "../../../keyring/derived_key.ts";
import type { SecretMatrix } from "../../../core/secrets/matrix.ts";
import type { TypeCheck } from "../../../code/checks/type_check.ts";
import type { SecretReferences } from "../../../core/secrets/references.ts";
import type { NameSearch } from "../../../store/name_search.ts";
import type { ApiDeps } from "../../services.ts";
import type { Client } from "../../../http/client_address.ts";

/** The pages call the same services as the API, in the same process, not over HTTP. */
export interface WebDeps extends ApiDeps {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Secrets by name and owner, for the secrets pages. */
  readonly matrix: SecretMatrix;
  readonly nameSearch: NameSearch;
  /** Returns the ids of the functions that are suspended because their processes kept ending. */
  readonly suspended: () => readonly FunctionId[];
  /** Isolation features that this machine lacks, as sentences. */
  readonly sandboxWarnings: readonly string[];
  /** Changes to the database that this program did not make, as sentences. */
  readonly alterations: () => readonly string[];
  /** Reports whether another program has written a row. Such a row is not used and can only be deleted. */
  readonly isAltered: (table: AlterableTable, id: number) => boolean;
  /** Aborted when the server ends. */
  readonly closing: AbortSignal;
  /** Answers a request under /run in the same way as one that arrives over HTTP. */
  readonly run: (request: Request) => Promise<Response>;
  /** Finds the names of secrets that code asks for. */
  readonly references: SecretReferences;
  /** Authenticates the notice that one page passes to the next. */
  readonly noticeKey: DerivedKey;
  /** Returns the modules known to depend on the file at `path`. */
  readonly importers: (path: string) => readonly string[];
  /** Returns, for those of these files that loaded modules depend on, these modules. */
  readonly importersOfEach: (paths: readonly string[]) => ReadonlyMap<string, readonly string[]>;
  readonly typeCheck: TypeCheck;
  /** Whether there are pages for the development of this program. */
  readonly devPages: boolean;
}

/** Tables whose rows have their own pages. */
export type AlterableTable = "admins" | "api_keys" | "functions" | "key_groups" | "mail_server" | "secrets";

/** The signed-in user, as pages show them. */
export interface SignedIn {
  readonly id: AdminId;
  readonly name: string;
  readonly email: string;
  readonly sessionId: SessionId;
  readonly hasSecondFactor: boolean;
  readonly preferences: Preferences;
}

export interface WebEnv {
  Bindings: Client;
  Variables: {
    requestId: string;
    /** Version of the program, for the frame. */
    version: string;
    /** The request's body, once it has been read. */
    body: Uint8Array<ArrayBuffer> | undefined;
    /** Set on every page after the guard. */
    admin: SignedIn;
    /** The same user for the services; also set by the guard. */
    actor: AdminActor & Origin;
    noticeKey: DerivedKey;
    /** The notice of the last action, which this page shows once. */
    notice: string | undefined;
    /** Changes to the database that this program did not make, as sentences. */
    alterations: readonly string[];
    /** Returns how many of the first steps are done; undefined once all are. */
    firstSteps: () => { readonly done: number; readonly of: number } | undefined;
  };
}

export type Web = Hono<WebEnv>;
