// Hashes of passwords: Argon2id over an HMAC under a key of the key file, so that the database alone does not
// even let anybody guess. How many are computed at once is bounded, as each takes memory and a core.

import { Buffer } from "node:buffer";
import { randomBytes, timingSafeEqual } from "node:crypto";
import { AppError } from "../errors.ts";
import type { DerivedKey } from "./derived_key.ts";

/** OWASP's password storage cheat sheet: 19 MiB and two passes; some 45 ms. */
const MEMORY_KIB = 19_456;
const PASSES = 2;
const LANES = 1;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

const AT_ONCE = 2;
/** More than that would wait for seconds, and be sent again before it is answered. */
const WAITING_MAX = 64;

/** What Deno's types lack of Argon2 in WebCrypto (WICG, Modern Algorithms, 2025). */
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
  /** Of no password: what is checked where there is none, for the same time. */
  readonly #nobody = encode(randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));

  constructor(pepper: DerivedKey) {
    this.#pepper = pepper;
  }

  /** `$argon2id$v=19$m=…,t=…,p=…$<salt>$<hash>`, as in the reference implementation. @throws AppError Busy (503) */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    return encode(salt, await this.#derive(password, salt, MEMORY_KIB, PASSES, LANES));
  }

  /** Whether `stored` was made of `password`; null never is, in the same time. @throws AppError Busy (503) */
  async matches(stored: string | null, password: string): Promise<boolean> {
    const { salt, hash, memory, passes, lanes } = decode(stored ?? this.#nobody);
    const given = await this.#derive(password, salt, memory, passes, lanes);
    return timingSafeEqual(given, hash) && stored !== null;
  }

  async #derive(password: string, salt: Uint8Array, memory: number, passes: number, lanes: number) {
    // Two keyboards may send one letter as different code points (NIST SP 800-63B, 3.1.1.2).
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
    if (this.#running < AT_ONCE) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= WAITING_MAX) {
      throw new AppError("Busy", 503, "Too many people sign in at this moment. Try again.");
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Hands the place over, or gives it back. */
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
