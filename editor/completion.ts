// Completes `c.`, `ctx.`, the names of secrets and their scopes, and the paths of the project's own modules. Names come
// from the server, values never do.

import {
  type Completion,
  type CompletionContext,
  type CompletionResult,
  type CompletionSource,
  snippet,
} from "@codemirror/autocomplete";
import type { EditorState } from "@codemirror/state";
import { type Member, MEMBERS, SCOPES } from "./members.ts";

export interface CompletionOptions {
  /** Asks for the names of secrets that hold `search`; undefined where no function is known. */
  names: ((search: string) => Promise<readonly string[]>) | undefined;
  /** Names of the route's parameters. */
  parameters: readonly string[];
  /** The path of the edited file, and those of all files. */
  modules: { readonly importer: string; readonly paths: () => Promise<readonly string[]> };
}

const DEFAULT_EXPORT =
  /\bexport\s+default\s+(?:async\s+)?(?:function\b\s*[\w$]*\s*)?\(\s*([\w$]+)[^,)]*(?:,\s*([\w$]+))?/;
const SECRET_NAME = /\bget(?:Complete)?Secret\(\s*(["'`])([\w-]*)$/;
const SECRET_SCOPE = /\bgetSecret\(\s*(["'`])[\w-]*\1\s*,\s*(["'`])(\w*)$/;
const IMPORT = /\b(?:from|import)\s*\(?\s*(["'])(\.[^"']*)$/;
const MODULE = /\.(?:[cm]?[jt]sx?|json)$/;
const MEMBER = /\b([\w$]+(?:\.[\w$]+)?)\.([\w$]*)$/;

export function handlerCompletion({ names, parameters, modules }: CompletionOptions): CompletionSource {
  return async (context: CompletionContext): Promise<CompletionResult | null> => {
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, context.pos - line.from);

    const scope = SECRET_SCOPE.exec(before);
    if (scope) return among(SCOPES.map(asWord), context.pos - scope[3]!.length);

    const secret = SECRET_NAME.exec(before);
    if (secret) {
      if (!names) return null;
      const found = await names(secret[2]!).catch(() => []);
      const options = found.map((label): Completion => ({ label, type: "constant", detail: "secret" }));
      // Not valid for what is typed on: the server is asked again.
      return { from: context.pos - secret[2]!.length, options };
    }

    const imported = IMPORT.exec(before);
    if (imported) {
      const others = (await modules.paths()).filter((path) => MODULE.test(path) && path !== modules.importer);
      const options = others.map((path): Completion => ({
        label: specifierOf(path, modules.importer),
        type: "namespace",
      }));
      return { from: context.pos - imported[2]!.length, options, validFor: /^\.[^"']*$/ };
    }

    const member = MEMBER.exec(before);
    if (!member) return null;
    const owner = known(member[1]!, context.state);
    const from = context.pos - member[2]!.length;
    if (owner === "ctx.params" || owner === "ctx.query") {
      const found = owner === "ctx.params" ? parameters : [];
      return among(found.map((label) => ({ label, type: "property", detail: "parameter of the route" })), from);
    }
    const members = MEMBERS[owner];
    return members ? among(members.map(asCompletion), from) : null;
  };
}

/** The specifier by which the file `importer` imports the file `path`: "./lib/prices.ts". */
export function specifierOf(path: string, importer: string): string {
  const [to, from] = [path.split("/"), importer.split("/").slice(0, -1)];
  let shared = 0;
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared++;
  const up = from.length - shared;
  return (up === 0 ? "./" : "../".repeat(up)) + to.slice(shared).join("/");
}

function among(options: readonly Completion[], from: number): CompletionResult | null {
  return options.length === 0 ? null : { from, options, validFor: /^[\w$]*$/ };
}

/** What stands before the dot, with this handler's names for its parameters as `c` and `ctx`. */
function known(expression: string, state: EditorState): string {
  const [, first = "c", second = "ctx"] = DEFAULT_EXPORT.exec(state.sliceDoc(0, 20_000)) ?? [];
  const [head, ...rest] = expression.split(".");
  const name = head === first ? "c" : head === second ? "ctx" : undefined;
  return name === undefined ? "" : [name, ...rest].join(".");
}

function asWord({ name, detail, info }: Member): Completion {
  return { label: name, type: "text", detail, info };
}

function asCompletion({ name, then, detail, info }: Member): Completion {
  const type = then ? "method" : "property";
  if (!then) return { label: name, type, detail, info };
  const template = (name + then).replaceAll("{", "\\{").replaceAll("}", "\\}").replace("|", "#{}");
  return { label: name, type, detail, info, apply: snippet(template) };
}
