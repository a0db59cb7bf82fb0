// Warns the authors of functions about response headers that the server does not send, as nothing else would show it:
// in the function's log, once for each name and version of the function.

import type { ModuleGraph } from "../code/modules/imports.ts";
import type { RegisteredFunction } from "../core/functions/registry.ts";

/** Names that a version of a function is warned of; one that makes them up must not fill its log. */
const NAMES_MAX = 20;
/** A field name (RFC 9110, 5.1) that a line of the log has room for. */
const NAME = /^[\w!#$%&'*+.^`|~-]{1,100}$/;

export class UnsentHeaders {
  /** What each function was warned of since its entry or its code was changed. */
  readonly #warned = new WeakMap<RegisteredFunction, { code: ModuleGraph; names: Set<string> }>();

  /** Returns the warning about a header that was left out; undefined if it was given before. */
  warning(entry: RegisteredFunction, code: ModuleGraph, name: string, ownHost: boolean): string | undefined {
    let warned = this.#warned.get(entry);
    if (warned?.code !== code) {
      warned = { code, names: new Set() };
      this.#warned.set(entry, warned);
    }
    const key = name.toLowerCase();
    if (warned.names.size >= NAMES_MAX || warned.names.has(key)) return undefined;
    warned.names.add(key);
    if (!NAME.test(name)) return "A response header with a name that is none was not sent.";
    if (key === "set-cookie") {
      return "A Set-Cookie header was not sent: cookies whose names begin with crude_ are the server's.";
    }
    if (ownHost) return `The response header ${name} was not sent.`;
    return `The response header ${name} was not sent: browsers or proxies could apply it to the admin pages, which are ` +
      "on the same host. Functions with a host of their own may send it (setting run.hosts).";
  }
}
