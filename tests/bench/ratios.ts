// What benchmarks of ratios share: two things measured by turns in one run, and the ceiling for the one by the other.

/** Milliseconds that `work` takes. */
export async function timeOf(work: () => unknown): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

export function median(numbers: readonly number[]): number {
  return [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

export interface Compared {
  /** The median of the rounds' ratios. */
  readonly ratio: number;
  /** Medians. */
  readonly ms: number;
  readonly baseMs: number;
}

/** Measures both by turns, as often as `rounds` says after one round for warming up; each returns milliseconds. */
export async function compare(
  rounds: number,
  measured: () => number | Promise<number>,
  base: () => number | Promise<number>,
): Promise<Compared> {
  await base(), await measured();
  const pairs: { ms: number; baseMs: number }[] = [];
  for (let round = 0; round < rounds; round++) {
    pairs.push({ baseMs: await base(), ms: await measured() });
  }
  return {
    ratio: median(pairs.map(({ ms, baseMs }) => ms / baseMs)),
    ms: median(pairs.map(({ ms }) => ms)),
    baseMs: median(pairs.map(({ baseMs }) => baseMs)),
  };
}

/** Prints a line; returns a complaint if the ratio is above its ceiling. */
export function report(
  name: string,
  { ratio, ms, baseMs }: Compared,
  ceiling?: number,
): string[] {
  const bound = ceiling === undefined ? "" : `, ceiling ${ceiling}`;
  console.log(
    `  ${name.padEnd(48)} ${ratio.toFixed(2).padStart(6)} times${bound}   (${ms.toFixed(2)} against ${
      baseMs.toFixed(2)
    } ms)`,
  );
  return ceiling !== undefined && ratio > ceiling ? [`${name}: ${ratio.toFixed(2)} > ${ceiling}`] : [];
}
