// Checks that the regular expressions of route parameters can be matched in linear time. V8 has an engine for that,
// which `deno task start` enables: as a fallback for excessive backtracking, and through the flag "l", which throws for
// expressions that this engine does not support. It repeats a group at most 16 times.

/** V8's kMaxReplicationFactor (regexp-experimental-compiler). */
const REPETITIONS_MAX = 16;
/** Longer repetitions are not expanded. */
const WRITTEN_OUT_MAX = 512;

/** Matches one character or class, optionally with a count: {2}, {2,} or {2,5}. Anything else char by char. */
const TOKEN =
  /(\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\c[a-zA-Z]|\\.|\[(?:\\.|[^\]\\])*\]|[^\\()[\]{}|*+?^$])(?:\{(\d+)(,?)(\d*)\}(\??))?|[^]/g;

/** Whether this V8 was started with the flags for its linear engine. */
export const hasLinearEngine = compiles("a", "l");

/** Reports whether V8 can match the pattern in linear time; true if the linear engine is off. */
export function isLinear(pattern: string): boolean {
  return !hasLinearEngine || compiles(`^(?:${pattern})$`, "l");
}

function compiles(pattern: string, flags: string): boolean {
  try {
    new RegExp(pattern, flags);
    return true;
  } catch {
    return false;
  }
}

/** Returns the same expression with repetitions of one character or class split so that the linear engine accepts them. */
export function unrolled(pattern: string): string {
  return pattern.replace(
    TOKEN,
    (token, atom?: string, least?: string, comma?: string, most?: string, lazy?: string) => {
      if (atom === undefined || least === undefined) return token;
      const min = Number(least);
      const max = comma === "" ? min : most === "" ? Infinity : Number(most);
      const highest = max === Infinity ? min : max;
      if (highest <= REPETITIONS_MAX || highest > WRITTEN_OUT_MAX || max < min) return token;
      const optional = max === Infinity
        ? `${atom}*${lazy}`
        : pieces(max - min, (count) => `${atom}{0,${count}}${lazy}`);
      return pieces(min, (count) => `${atom}{${count}}`) + optional;
    },
  );
}

function pieces(count: number, write: (count: number) => string): string {
  const rest = count % REPETITIONS_MAX;
  return write(REPETITIONS_MAX).repeat(Math.floor(count / REPETITIONS_MAX)) + (rest > 0 ? write(rest) : "");
}

/** Reports whether the pattern may match a "/"; true in case of doubt. */
export function mayContainSlash(pattern: string): boolean {
  for (const [token, atom] of pattern.matchAll(TOKEN)) {
    if (atom === undefined) continue;
    if (atom.startsWith("[")) {
      if (classMayContainSlash(atom)) return true;
    } else if (atom.startsWith("\\")) {
      // \d, \w, and escaped punctuation other than the slash.
      if (!/^\\[dwbB.*+?^$()[\]{}|\\-]$/.test(atom)) return true;
    } else if (atom === "." || atom === "/" || token === "") {
      return true;
    }
  }
  return false;
}

function classMayContainSlash(characters: string): boolean {
  const inside = characters.slice(1, -1);
  if (inside.startsWith("^") || inside.includes("/") || /\\[^dw.*+?^$()[\]{}|\\-]/.test(inside)) return true;
  const ranges = inside.replace(/\\[dw]/g, "").matchAll(/\\?([^])-\\?([^])/g);
  return [...ranges].some(([, from, to]) => from! <= "/" && to! >= "/");
}

/** Reports whether the pattern has at most one repetition and no groups, so that backtracking is harmless. */
export function withOneRepetition(pattern: string): boolean {
  const bare = pattern.replace(/\\.|\[(?:\\.|[^\]\\])*\]/g, "x");
  return !/[()|]/.test(bare) && (bare.match(/[*+{]/g)?.length ?? 0) <= 1;
}
