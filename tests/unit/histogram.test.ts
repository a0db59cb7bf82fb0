// Histograms: buckets, percentiles against sorted values, and their stored form.

import assert from "node:assert/strict";
import fc from "fast-check";
import {
  addHistogram,
  addPacked,
  bucketOf,
  lowestOf,
  newHistogram,
  packHistogram,
  percentiles,
  RELATIVE_ERROR,
} from "../../src/telemetry/histogram.ts";

const us = fc.oneof(
  fc.integer({ min: 0, max: 100 }),
  fc.integer({ min: 0, max: 100_000 }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

function histogramOf(values: readonly number[]) {
  const histogram = newHistogram();
  for (const value of values) histogram[bucketOf(value)]!++;
  return histogram;
}

Deno.test("a value lies between the bounds of its bucket", () => {
  fc.assert(fc.property(us, (value) => {
    const bucket = bucketOf(value);
    assert.ok(lowestOf(bucket) <= value && value < lowestOf(bucket + 1), `${value} in bucket ${bucket}`);
  }));
});

Deno.test("a bucket begins where the one before ends", () => {
  for (let bucket = 1; bucket < newHistogram().length; bucket++) {
    assert.equal(bucketOf(lowestOf(bucket)), bucket);
    assert.equal(bucketOf(lowestOf(bucket) - 1), bucket - 1);
  }
});

Deno.test("durations out of range are counted in the first or last bucket", () => {
  for (const value of [-1, NaN, 0, 0.9]) assert.equal(bucketOf(value), 0);
  for (const value of [2 ** 32 - 1, 2 ** 32, 1e15, Infinity]) assert.equal(bucketOf(value), newHistogram().length - 1);
});

Deno.test("a percentile is off by at most the stated error", () => {
  fc.assert(fc.property(fc.array(us, { minLength: 1, maxLength: 300 }), fc.double({ min: 0, max: 1, noNaN: true }), (
    values,
    share,
  ) => {
    const [found] = percentiles(histogramOf(values), [share]) as [number];
    const sorted = values.toSorted((a, b) => a - b);
    const exact = sorted[Math.max(1, Math.ceil(share * values.length)) - 1]!;
    assert.ok(Math.abs(found - exact) <= exact * RELATIVE_ERROR, `${found} for ${exact}`);
  }));
});

Deno.test("the sum of two histograms is the histogram of all their values, packed or not", () => {
  fc.assert(fc.property(fc.array(us), fc.array(us), (some, others) => {
    const all = histogramOf([...some, ...others]);
    const added = histogramOf(some);
    addHistogram(added, histogramOf(others));
    const unpacked = histogramOf(some);
    addPacked(unpacked, packHistogram(histogramOf(others)));
    assert.deepEqual(added, all);
    assert.deepEqual(unpacked, all);
  }));
});

Deno.test("large counts survive packing", () => {
  const histogram = newHistogram();
  for (const [index, count] of [1, 127, 128, 300, 2 ** 31, 2 ** 32 - 1].entries()) histogram[index * 100] = count;
  const unpacked = newHistogram();
  addPacked(unpacked, packHistogram(histogram));
  assert.deepEqual(unpacked, histogram);
});

Deno.test("damaged bytes are refused", () => {
  for (const bytes of [[128], [5], [255, 255, 3, 1], [1, 128, 128, 128, 128, 128, 128, 1]]) {
    assert.throws(() => addPacked(newHistogram(), Uint8Array.from(bytes)), /damaged/);
  }
});

Deno.test("an empty histogram has no percentiles", () => {
  assert.equal(percentiles(newHistogram(), [0.5]), undefined);
});
