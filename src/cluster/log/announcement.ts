// Seals entries for notifications, so that other nodes need not read them. Everyone who can connect to the database gets
// notifications, and can send them: they are encrypted, each under a key of its own, and what they bring is checked like
// what is read.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import { FrameOpener, FrameSealer } from "../../keyring/frame_cipher.ts";
import type { Entry } from "./change_log.ts";

const SALT_BYTES = 16;
const LENGTH_BYTES = 4;
const NO_AAD = new Uint8Array();

export class Announcements {
  readonly #key: DerivedKey;
  readonly #cluster: string;

  /** `key` is the keyring's for "cluster announcements"; `cluster` identifies the cluster. */
  constructor(key: DerivedKey, cluster: string) {
    this.#key = key;
    this.#cluster = cluster;
  }

  /** Returns a text in base64, 1.4 times as long as the entry. */
  seal({ body, ...rest }: Entry): string {
    const head = Buffer.from(JSON.stringify(rest));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(head.length);
    const salt = randomBytes(SALT_BYTES);
    const sealer = new FrameSealer(this.#key, this.#contextOf(salt));
    return Buffer.concat([salt, sealer.seal(Buffer.concat([length, head, body]), NO_AAD, true)]).toString("base64");
  }

  /** Returns an entry that some node of the cluster has sealed, whether it was stored or not; undefined for other texts. */
  open(text: string): Entry | undefined {
    const bytes = Buffer.from(text, "base64");
    const salt = bytes.subarray(0, SALT_BYTES);
    try {
      const opener = new FrameOpener(this.#key, this.#contextOf(salt));
      const content = Buffer.from(opener.open(bytes.subarray(SALT_BYTES), NO_AAD, true));
      const end = LENGTH_BYTES + content.readUInt32BE();
      const rest = JSON.parse(content.toString("utf8", LENGTH_BYTES, end)) as Omit<Entry, "body">;
      return { ...rest, body: new Uint8Array(content.subarray(end)) };
    } catch {
      return undefined;
    }
  }

  #contextOf(salt: Buffer): string {
    return `${this.#cluster} ${salt.toString("hex")}`;
  }
}
