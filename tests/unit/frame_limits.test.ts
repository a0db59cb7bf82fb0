// How long the parts of a frame from a sandbox may be: a frame that is too long is never in memory as a whole.

import assert from "node:assert/strict";
import {
  type FrameLimits,
  FrameWriter,
  ProtocolError,
  readFrames,
  TO_HOST_LIMITS,
  ToHost,
} from "../../src/sandbox/wire/protocol.ts";

const limits = (type: number): FrameLimits | undefined => TO_HOST_LIMITS[type as keyof typeof TO_HOST_LIMITS];

/** The bytes of one frame. */
async function frame(type: number, payload: string, body: Uint8Array): Promise<Uint8Array> {
  const written: Uint8Array[] = [];
  const writer = new FrameWriter((bytes) => {
    written.push(bytes.slice());
    return Promise.resolve(bytes.length);
  }, () => false);
  writer.send(type, 1, payload, body);
  await writer.drained();
  assert.equal(written.length, 1);
  return written[0]!;
}

/** Reads `bytes`, of which no more come; how long the parts of the frames are, and how many bytes were taken. */
async function read(bytes: Uint8Array): Promise<{ lengths: number[][]; taken: number }> {
  let taken = 0;
  const lengths: number[][] = [];
  await readFrames(
    (into) => {
      if (taken === bytes.length) return Promise.resolve(null);
      const piece = bytes.subarray(taken, taken + into.length);
      into.set(piece);
      taken += piece.length;
      return Promise.resolve(piece.length);
    },
    (_type, _id, payload, body) => void lengths.push([payload.length, body.length]),
    undefined,
    limits,
  );
  return { lengths, taken };
}

for (const [name, type] of Object.entries(ToHost)) {
  Deno.test(`${name}: a frame as long as may be is read, a longer one is a violation of the protocol`, async () => {
    const { payload, body } = TO_HOST_LIMITS[type];
    const longest = await frame(type, "x".repeat(payload), new Uint8Array(body));
    assert.deepEqual((await read(longest)).lengths, [[payload, body]]);
    for (const [more, less] of [[1, 0], [0, 1], [100_000, 0], [1, -1], [-1, 1]] as const) {
      if (payload + more < 0 || body + less < 0) continue;
      const longer = await frame(type, "x".repeat(payload + more), new Uint8Array(body + less));
      await assert.rejects(read(longer), ProtocolError, `${more} and ${less} bytes more`);
    }
  });
}

Deno.test("a frame that is too long is refused by its head, before the rest of it is read", async () => {
  const head = (await frame(ToHost.Pong, "x".repeat(500_000), new Uint8Array())).subarray(0, 9);
  await assert.rejects(read(head), ProtocolError);
});
