// Encrypts a message as a sequence of frames, with a key that is used for this message only. A frame cannot be left
// out, repeated, moved or cut off unnoticed: its nonce is its number and whether it is the last one, as in the STREAM
// construction (Hoang, Reyhanitabar, Rogaway and Vizár 2015). A nonce that is a counter is the deterministic
// construction of NIST SP 800-38D, 8.2.1; no key ever sees the same one twice.

import { createSecretKey, type KeyObject } from "node:crypto";
import { decrypt, encrypt, NONCE_BYTES, TAG_BYTES } from "./cipher.ts";
import type { DerivedKey } from "./derived_key.ts";

/** Far below the 2^32 invocations of a key that NIST SP 800-38D, 8.3, allows. */
const FRAMES_MAX = 2 ** 31;

/** What a frame is longer than its content. */
export const FRAME_OVERHEAD_BYTES = TAG_BYTES;

/** The next frame of one message: both directions of a conversation have a key, and a counter, of their own. */
class Frames {
  readonly #key: KeyObject;
  #number = 0;
  #isOver = false;

  /** `context` must never be the same for two messages: it says all that distinguishes them, in a text. */
  constructor(key: DerivedKey, context: string) {
    this.#key = createSecretKey(key.mac(`frames:${context}`));
  }

  protected next(isLast: boolean): { key: KeyObject; nonce: Uint8Array } {
    if (this.#isOver || this.#number >= FRAMES_MAX) throw new Error("The message is over.");
    const nonce = new Uint8Array(NONCE_BYTES);
    new DataView(nonce.buffer).setUint32(NONCE_BYTES - 5, this.#number++);
    nonce[NONCE_BYTES - 1] = isLast ? 1 : 0;
    this.#isOver = isLast;
    return { key: this.#key, nonce };
  }
}

export class FrameSealer extends Frames {
  /** Encrypts the next frame, which reads only with the same `aad`. @throws Error after the last one */
  seal(content: Uint8Array, aad: Uint8Array, isLast: boolean): Uint8Array {
    const { key, nonce } = this.next(isLast);
    return encrypt(key, content, aad, nonce).subarray(NONCE_BYTES);
  }
}

export class FrameOpener extends Frames {
  /** Decrypts the next frame. @throws Error if it is not exactly the frame that was sealed at this place */
  open(frame: Uint8Array, aad: Uint8Array, isLast: boolean): Uint8Array {
    const { key, nonce } = this.next(isLast);
    const sealed = new Uint8Array(NONCE_BYTES + frame.length);
    sealed.set(nonce);
    sealed.set(frame, NONCE_BYTES);
    return decrypt(key, sealed, aad);
  }
}
