// Properties of FrameWriter and readFrames alone: whatever way the bytes are cut up, the same frames come
// out; garbage gives frames or a ProtocolError, and never takes more memory than one frame.

import assert from "node:assert/strict";
import fc from "fast-check";
import { FRAME_MAX_BYTES, FrameWriter, ProtocolError, readFrames } from "../../src/sandbox/wire/protocol.ts";

type Frame = [type: number, id: number, payload: string, body: number[]];

const HEADER_BYTES = 9;

const frame = fc.tuple(
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.string({ unit: "grapheme", maxLength: 200 }),
  fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 300 }),
);
const frames = fc.array(frame, { maxLength: 12 });
/** Lengths of the portions that a socket gives, over and over. */
const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 });

/** Runs every property until `untilMs` by `performance.now()`; the number of cases tried. Throws on a counterexample. */
export async function fuzzReading(seed: number, untilMs: number): Promise<number> {
  let cases = 0;
  for (let round = 0; performance.now() < untilMs || round === 0; round++) {
    for (const property of properties()) {
      const numRuns = 100;
      await fc.assert(property, { seed: seed + round, numRuns });
      cases += numRuns;
    }
  }
  return cases;
}

function properties(): fc.IAsyncProperty<unknown>[] {
  return [
    fc.asyncProperty(frames, cuts, async (sent, lengths) => {
      assert.deepEqual(await parse(await written(sent), lengths), sent);
    }),
    fc.asyncProperty(fc.uint8Array({ maxLength: 5_000 }), cuts, async (garbage, lengths) => {
      await framesOrProtocolError(garbage, lengths);
    }),
    // A length that is plausible, so that what follows is looked into.
    fc.asyncProperty(frames, fc.array(fc.nat(), { maxLength: 8 }), cuts, async (sent, places, lengths) => {
      const bytes = await written(sent);
      for (const place of places) if (bytes.length > 0) bytes[place % bytes.length] = place >>> 8;
      await framesOrProtocolError(bytes, lengths);
    }),
    fc.asyncProperty(
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.integer({ min: 0, max: 0xffff_ffff }),
      fc.integer({ min: 0, max: 2_000 }),
      cuts,
      async (size, metaLength, follows, lengths) => {
        const bytes = new Uint8Array(HEADER_BYTES + 4 + follows);
        const view = new DataView(bytes.buffer);
        view.setUint32(0, size, true);
        view.setUint32(HEADER_BYTES, metaLength, true);
        await framesOrProtocolError(bytes, lengths);
      },
    ),
  ];
}

async function written(sent: readonly Frame[]): Promise<Uint8Array> {
  let all = new Uint8Array(0);
  let turn = 0;
  const writer = new FrameWriter(async (bytes) => {
    // A socket takes as much as it likes.
    const taken = Math.min(bytes.length, 1 + turn++ % 977);
    const longer = new Uint8Array(all.length + taken);
    longer.set(all);
    longer.set(bytes.subarray(0, taken), all.length);
    all = longer;
    await undefined;
    return taken;
  }, () => turn % 3 === 0);
  for (const [type, id, payload, body] of sent) writer.send(type, id, payload, Uint8Array.from(body));
  await writer.drained();
  assert.equal(writer.queuedBytes, 0);
  return all;
}

async function parse(bytes: Uint8Array, lengths: readonly number[]): Promise<Frame[]> {
  const found: Frame[] = [];
  let at = 0;
  let turn = 0;
  await readFrames(
    async (into) => {
      await undefined;
      assert.ok(into.length > 0, "asked for no bytes: it would never end");
      assert.ok(into.length <= FRAME_MAX_BYTES + HEADER_BYTES, `room for ${into.length} bytes was made`);
      if (at === bytes.length) return null;
      const portion = bytes.subarray(at, at + Math.min(into.length, lengths[turn++ % lengths.length]!));
      into.set(portion);
      at += portion.length;
      return portion.length;
    },
    (type, id, payload, body) => {
      found.push([type, id, payload, [...body]]);
    },
    () => turn % 5 === 0 ? Promise.resolve() : undefined,
  );
  return found;
}

async function framesOrProtocolError(bytes: Uint8Array, lengths: readonly number[]): Promise<void> {
  const outcome = await parse(bytes, lengths).catch((error) => error);
  assert.ok(Array.isArray(outcome) || outcome instanceof ProtocolError, `neither: ${outcome}`);
}
