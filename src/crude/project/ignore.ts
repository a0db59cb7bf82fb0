// Decides which files of a project are left out: those that .crudeignore lists, in the syntax of .gitignore, and those
// that are never uploaded.

/** Names that are never uploaded, wherever they are; the server refuses them as well. */
const NEVER = /^(?:\.env.*|\.git|\.crude|\.crude-draft-.*|node_modules)$/i;

export const IGNORE_FILE = ".crudeignore";

export function isNeverUploaded(name: string): boolean {
  return NEVER.test(name);
}

/** One line of an ignore file. */
export interface IgnoreRule {
  /** Matches a path relative to the folder of the ignore file. */
  readonly pattern: RegExp;
  readonly isNegated: boolean;
  /** Whether it matches folders only. */
  readonly isForFolders: boolean;
}

/** The rules of one ignore file. */
export interface IgnoreRules {
  /** The folder of the file: "" or such as "lib/". */
  readonly folder: string;
  readonly rules: readonly IgnoreRule[];
}

/** Reads an ignore file (gitignore(5)). */
export function parseIgnore(text: string): IgnoreRule[] {
  return text.replace(/^\ufeff/, "").split(/\r?\n/).flatMap((line) => {
    // Trailing spaces do not count unless they are quoted.
    let pattern = line.replace(/(?<!\\)[ \t]+$/, "");
    if (pattern === "" || pattern.startsWith("#")) return [];
    const isNegated = pattern.startsWith("!");
    if (isNegated) pattern = pattern.slice(1);
    const isForFolders = pattern.endsWith("/");
    if (isForFolders) pattern = pattern.slice(0, -1);
    // A pattern with a slash is of this folder; one without is of every folder below, too.
    const isAnchored = pattern.includes("/");
    if (pattern.startsWith("/")) pattern = pattern.slice(1);
    if (pattern === "") return [];
    return [{ pattern: toRegExp(pattern, isAnchored), isNegated, isForFolders }];
  });
}

/** Reports whether the last rule that matches, of the ignore files from the outermost to the innermost, ignores it. */
export function isIgnored(files: readonly IgnoreRules[], path: string, isFolder: boolean): boolean {
  let ignored = false;
  for (const { folder, rules } of files) {
    const inside = path.slice(folder.length);
    for (const { pattern, isNegated, isForFolders } of rules) {
      if ((isFolder || !isForFolders) && pattern.test(inside)) ignored = !isNegated;
    }
  }
  return ignored;
}

function toRegExp(pattern: string, isAnchored: boolean): RegExp {
  let source = isAnchored ? "^" : "^(?:.*/)?";
  for (let at = 0; at < pattern.length;) {
    const rest = pattern.slice(at);
    const [token, translated] = translate(rest, at === 0);
    source += translated;
    at += token.length;
  }
  return new RegExp(`${source}$`, "s");
}

/** Returns the beginning of `rest` that is one token, and a regular expression for it. */
function translate(rest: string, isFirst: boolean): [token: string, source: string] {
  if (isFirst && rest.startsWith("**/")) return ["**/", "(?:.*/)?"];
  if (rest.startsWith("/**/")) return ["/**/", "/(?:.*/)?"];
  if (rest === "/**") return ["/**", "/.+"];
  const [stars] = /^\*+/.exec(rest) ?? [];
  if (stars) return [stars, "[^/]*"];
  if (rest.startsWith("?")) return ["?", "[^/]"];
  const [set, not, members] = /^\[([!^]?)(\]?[^\]]*)\]/.exec(rest) ?? [];
  if (set && members) return [set, `(?![/])[${not ? "^" : ""}${members.replace(/[\\\[\]^]/g, "\\$&")}]`];
  const quoted = /^\\(.)/su.exec(rest);
  const character = quoted?.[1] ?? String.fromCodePoint(rest.codePointAt(0)!);
  return [quoted?.[0] ?? character, character.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")];
}
