// Rewrites Deno's permission errors for authors of handlers: Deno names flags that they cannot set.

import type { Override } from "./builtins.ts";

/** Linux's EROFS: `node:fs` reports a refused write as a file system that is read-only. */
const READ_ONLY = 30;
/** Linux's EACCES. */
const ACCESS_DENIED = 13;

const PROGRAMS = "A handler cannot run programs";

/** By the kind of access in Deno's message. `what` is quoted by Deno, and empty if Deno names nothing. */
const REFUSALS: Record<string, (what: string) => string> = {
  __proto__: null as never,
  net: (what) =>
    ANY_ADDRESS.test(what)
      ? withName("A handler cannot listen for connections", what)
      : `This function may not connect to ${what || "any host"}; permissions.net lists the hosts that it may`,
  read: (what) => withName("A handler may read only its own files", what),
  all: (what) => withName("A handler may read only its own files", what),
  write: (what) => withName("A handler cannot write files", what),
  run: (what) => withName(PROGRAMS, what),
  ffi: (what) => withName("A handler cannot load native libraries", what),
  sys: (what) => withName("A handler cannot read system information", what),
  env: () => "A handler cannot change the environment of its process",
  import: (what) =>
    `Modules of ${what || "this host"} may not be imported; the setting sandbox.import-hosts names the hosts`,
};
/** The address that a listener requests. */
const ANY_ADDRESS = /^"(?:0\.0\.0\.0|\[::\]):/;
const FLAGS = /Requires (\w+) access(?: to ("[^"\n]*"|<\w+>))?, run again with the --allow-\w+ flag/g;
/** The message for links, as their targets could be anything. */
const LINKS = /Deno\.\w+\(\) requires unscoped --allow-read and --allow-write permissions[^\n]*/g;
/** The message for programs without a path, as there is no PATH. */
const SEARCH = /Failed to spawn '([^'\n]*)': no path to search and provided name is not an absolute path/g;
const SYSTEM = /Permission denied \(os error 13\)/g;
const SYSTEM_REFUSAL = "Permission denied: a handler cannot listen for connections and may open only its own files";
/** The depth of an error's causes that are rewritten. */
const CAUSES_MAX = 4;
const WRITE = /^Requires write access|requires unscoped --allow-read and --allow-write/;

// Taken before the handler's code can replace them.
const { apply } = Reflect;
const { replace } = String.prototype;
const { defineProperty, setPrototypeOf } = Object;

/** Rewrites Deno's permission errors in `text`. */
export function explainText(text: string): string {
  const rules: [RegExp, string | ((said: string, ...groups: string[]) => string)][] = [
    [FLAGS, (said, kind, what) => REFUSALS[kind!]?.(what ?? "") ?? said],
    [LINKS, REFUSALS.write!("")],
    [SEARCH, (_, name) => withName(PROGRAMS, `"${name}"`)],
    [SYSTEM, SYSTEM_REFUSAL],
  ];
  return rules.reduce((said, rule) => apply(replace, said, rule), text);
}

/**
 * Makes Deno's errors have the rewritten message from the start, so that the handler's code sees it as well. Their
 * classes look up their base class when an error is created.
 */
export function explainRefusals(): void {
  const { NotCapable, PermissionDenied } = Deno.errors;
  setPrototypeOf(NotCapable, refusal((message) => WRITE.test(message) ? READ_ONLY : 0));
  setPrototypeOf(PermissionDenied, refusal((message) => message.includes("(os error 13)") ? ACCESS_DENIED : 0));
}

/** Rewrites the messages of an error and its causes: Deno creates some without the classes above. */
export function explainError(error: unknown): unknown {
  let part = error as { message?: unknown; cause?: unknown } | null | undefined;
  for (let depth = 0; depth < CAUSES_MAX && typeof part === "object" && part !== null; depth++) {
    const { message } = part;
    if (typeof message === "string" && message !== explainText(message)) {
      defineProperty(part, "message", { value: explainText(message), writable: true, configurable: true });
    }
    part = part.cause as typeof part;
  }
  return error;
}

/** `errnoOf` returns the number by which `node:fs` identifies the error, or 0. */
function refusal(errnoOf: (message: string) => number): new (message?: string) => Error {
  return class Refusal extends Error {
    constructor(message = "") {
      super(explainText(message));
      const errno = errnoOf(message);
      // Deno's Node modules read this property.
      if (errno !== 0) defineProperty(this, "os_errno", { value: errno });
      if (errno === READ_ONLY) defineProperty(this, "code", { value: "EROFS", writable: true, configurable: true });
    }
  };
}

/** Deno 2.9.6 gives no reason why functions fail that start programs and wait for them. */
export const PROGRAM_OVERRIDE: Override = {
  module: "child_process",
  replace() {
    const refused = (): Error => Object.assign(new Deno.errors.NotCapable(PROGRAMS), { code: "EACCES" });
    const fail = (): never => {
      throw refused();
    };
    const nothing = { pid: 0, output: null, stdout: null, stderr: null, status: null, signal: null };
    return { execSync: fail, execFileSync: fail, spawnSync: () => ({ ...nothing, error: refused() }) };
  },
};

function withName(refused: string, what: string): string {
  return what === "" ? refused : `${refused}: ${what}`;
}
