// Counts durations in buckets with fixed bounds, so that histograms of minutes, functions or servers can be added and
// percentiles read from the sum. Averages of percentiles would be wrong.

/** Buckets in each power of two: a bucket is at most 1/32 of its values wide. */
const PER_OCTAVE = 32;
const PER_OCTAVE_BITS = 5;
const LARGEST_US = 0xffff_ffff;

/** Counts by bucket. Each value below 32 µs has its own bucket; the last bucket ends at 2^32 µs (71 minutes). */
export type Histogram = Uint32Array;

/** The largest relative error of a value that is read from a histogram. */
export const RELATIVE_ERROR = 1 / (2 * PER_OCTAVE);

const BUCKETS = (32 - PER_OCTAVE_BITS + 1) * PER_OCTAVE;

export function newHistogram(): Histogram {
  return new Uint32Array(BUCKETS);
}

/** Returns the bucket of a duration in µs, rounded down. */
export function bucketOf(us: number): number {
  const whole = us >= LARGEST_US ? LARGEST_US : us > 0 ? Math.floor(us) : 0;
  if (whole < PER_OCTAVE) return whole;
  const exponent = 31 - Math.clz32(whole);
  const within = (whole >>> (exponent - PER_OCTAVE_BITS)) & (PER_OCTAVE - 1);
  return (exponent - PER_OCTAVE_BITS + 1) * PER_OCTAVE + within;
}

/** Returns the lowest value of a bucket, in µs. Its values are below the lowest value of the next bucket. */
export function lowestOf(bucket: number): number {
  if (bucket < PER_OCTAVE) return bucket;
  const exponent = Math.floor(bucket / PER_OCTAVE) + PER_OCTAVE_BITS - 1;
  return (PER_OCTAVE + bucket % PER_OCTAVE) * 2 ** (exponent - PER_OCTAVE_BITS);
}

export function addHistogram(to: Histogram, from: Histogram): void {
  for (let bucket = 0; bucket < BUCKETS; bucket++) to[bucket]! += from[bucket]!;
}

/** Returns how many of the values may exceed `us`: those of its bucket are among them. */
export function countAbove(histogram: Histogram, us: number): number {
  let count = 0;
  for (let bucket = bucketOf(us); bucket < BUCKETS; bucket++) count += histogram[bucket]!;
  return count;
}

/**
 * Returns for each share (0 to 1, ascending) the duration in µs that this share of the values does not exceed, with an
 * error of at most RELATIVE_ERROR; undefined for an empty histogram.
 */
export function percentiles(histogram: Histogram, shares: readonly number[]): number[] | undefined {
  let total = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) total += histogram[bucket]!;
  if (total === 0) return undefined;
  const found: number[] = [];
  let seen = 0;
  for (let bucket = 0; found.length < shares.length; bucket++) {
    seen += histogram[bucket]!;
    while (found.length < shares.length && seen >= Math.max(1, Math.ceil(shares[found.length]! * total))) {
      found.push(middleOf(bucket));
    }
  }
  return found;
}

function middleOf(bucket: number): number {
  // The bucket is 1 µs wide: it is the value itself.
  if (bucket < 2 * PER_OCTAVE) return bucket;
  return (lowestOf(bucket) + lowestOf(bucket + 1)) / 2;
}

/**
 * Packs the buckets that are not empty, each as two LEB128 numbers: the distance from the one before, and the count. A
 * minute of one function takes some dozens of bytes.
 */
export function packHistogram(histogram: Histogram): Uint8Array {
  const bytes: number[] = [];
  let last = 0;
  for (let bucket = 0; bucket < BUCKETS; bucket++) {
    if (histogram[bucket] === 0) continue;
    pushNumber(bytes, bucket - last);
    pushNumber(bytes, histogram[bucket]!);
    last = bucket;
  }
  return Uint8Array.from(bytes);
}

/** Adds a histogram that `packHistogram` packed. @throws Error if the bytes are damaged */
export function addPacked(to: Histogram, packed: Uint8Array): void {
  let at = 0;
  const next = (): number => {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = packed[at++];
      if (byte === undefined || factor > 2 ** 35) throw new Error("A stored histogram is damaged.");
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  };
  let bucket = 0;
  while (at < packed.length) {
    bucket += next();
    if (bucket >= BUCKETS) throw new Error("A stored histogram is damaged.");
    to[bucket]! += next();
  }
}

function pushNumber(bytes: number[], value: number): void {
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push(value % 128 + 128);
  bytes.push(value);
}
