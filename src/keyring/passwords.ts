// Hashes passwords: Argon2id over an HMAC under a key of the key file, so that the database alone does not even allow
// guessing. The number of concurrent computations is bounded, as each takes memory and a core.

import { Buffer } from "node:buffer";
import { randomBytes, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";
import type { DerivedKey } from "./derived_key.ts";

/** From OWASP's password storage cheat sheet: 19 MiB and two passes; about 45 ms. */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

const CONCURRENT_MAX = 2;
/** More would wait for seconds, and clients would repeat their requests before the answers. */
const WAITING_MAX = 64;

/** Argon2 in WebCrypto (WICG, Modern Algorithms, 2025), which Deno's types lack. */
interface Argon2Params extends Algorithm {
  nonce: BufferSource;
  parallelism: number;
  memory: number;
  passes: number;
}

export class Passwords {
  readonly #pepper: DerivedKey;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  /** Verified when there is no password, so that this takes the same time. */
  readonly #dummy = encode(randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));

  constructor(pepper: DerivedKey) {
    this.#pepper = pepper;
  }

  /**
   * Returns `$argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>`, as the reference implementation does.
   * @throws AppError Busy (503)
   */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    return encode(salt, await this.#derive(password, salt, MEMORY_KIB, PASSES, LANES));
  }

  /**
   * Reports whether `stored` is a hash of `password`; false for null, after the same time.
   * @throws AppError Busy (503)
   */
  async matches(stored: string | null, password: string): Promise<boolean> {
    const { salt, hash, memory, passes, lanes } = decode(stored ?? this.#dummy);
    const given = await this.#derive(password, salt, memory, passes, lanes);
    return timingSafeEqual(given, hash) && stored !== null;
  }

  async #derive(password: string, salt: Uint8Array, memory: number, passes: number, lanes: number) {
    // Keyboards may send the same letter as different code points (NIST SP 800-63B, 3.1.1.2).
    const secret = this.#pepper.mac(password.normalize("NFKC")) as Uint8Array<ArrayBuffer>;
    await this.#enter();
    try {
      const name = "Argon2id";
      const key = await crypto.subtle.importKey("raw-secret" as "raw", secret, name, false, ["deriveBits"]);
      const nonce = Uint8Array.from(salt);
      const params: Argon2Params = { name, nonce, parallelism: lanes, memory, passes };
      return Buffer.from(await crypto.subtle.deriveBits(params, key, HASH_BYTES * 8));
    } finally {
      this.#leave();
    }
  }

  #enter(): Promise<void> | void {
    if (this.#running < CONCURRENT_MAX) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) {
      throw new AppError("Busy", 503, "Too many users are signing in right now. Try again.");
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Passes the slot to the next one waiting, or frees it. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}

function encode(salt: Uint8Array, hash: Uint8Array): string {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64").replaceAll("=", "");
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${text(salt)}$${text(hash)}`;
}

function decode(stored: string) {
  const [, memory, passes, lanes, salt, hash] =
    /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/.exec(stored) ?? [];
  if (hash === undefined) throw new Error("a stored password is damaged");
  return {
    salt: Buffer.from(salt!, "base64"),
    hash: Buffer.from(hash, "base64"),
    memory: Number(memory),
    passes: Number(passes),
    lanes: Number(lanes),
  };
}
