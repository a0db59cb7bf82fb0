// Regular expressions of route parameters: which of them are matched in time that grows with the path's length alone.
// V8 has an engine for that, which `deno task start` turns on: for expressions whose back-tracking gets out of hand,
// and by the flag "l", which fails for those that it cannot match. It repeats a group 16 times at most.

/** V8's kMaxReplicationFactor (regexp-experimental-compiler). */
const REPETITIONS_MAX = 16;
/** Beyond this a repetition is not written out. */
const WRITTEN_OUT_MAX = 512;

/** One character or class, perhaps with how often it is repeated: {2}, {2,} or {2,5}. Anything else char by char. */
const TOKEN =
  /(\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\c[a-zA-Z]|\\.|\[(?:\\.|[^\]\\])*\]|[^\\()[\]{}|*+?^$])(?:\{(\d+)(,?)(\d*)\}(\??))?|[^]/g;

/** Whether this V8 was started with the flags for its linear engine. */
export const hasLinearEngine = compiles("a", "l");

/** Reports whether V8 can match the pattern in linear time; true if this V8 cannot tell. */
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

/** Returns the same expression with repetitions of one character or class in pieces that the linear engine takes. */
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

/** Reports whether the pattern has one repetition at most and no groups, so that back-tracking is no trouble. */
export function withOneRepetition(pattern: string): boolean {
  const bare = pattern.replace(/\\.|\[(?:\\.|[^\]\\])*\]/g, "x");
  return !/[()|]/.test(bare) && (bare.match(/[*+{]/g)?.length ?? 0) <= 1;
}
