// Reads and writes database-record.json, next to the key file: it records that the rows of the database are authenticated,
// and their generation. An attacker who can write only the database cannot replace it by an earlier copy.

import { Buffer } from "node:buffer";
import { randomBytes, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { messageOf } from "../errors.ts";
import type { DerivedKey } from "./derived_key.ts";
import { replaceFile } from "./durable_file.ts";
import type { Keyring } from "./keyring.ts";

export const RECORD_FILE = "database-record.json";

const EPOCH_BYTES = 16;

export interface GenerationRecord {
  /** The epoch of the database's head. Hexadecimal. */
  readonly epoch: string;
  /** The database has reached this generation; 0 until its rows are authenticated. */
  readonly generation: number;
}

const storedSchema = z.strictObject({
  format: z.literal(1),
  epoch: z.string().regex(/^[0-9a-f]{32}$/),
  generation: z.int().min(0),
  mac: z.string().regex(/^[0-9a-f]{64}$/),
});

/** The record is damaged or was altered; the message names the file. */
export class RecordError extends Error {}

/** Returns the first record of a database. */
export function newRecord(): GenerationRecord {
  return { epoch: randomBytes(EPOCH_BYTES).toString("hex"), generation: 0 };
}

export class RecordFile {
  readonly path: string;
  readonly #key: DerivedKey;

  constructor(path: string, keyring: Keyring) {
    this.path = path;
    this.#key = keyring.derive("record");
  }

  /** @throws RecordError */
  read(): GenerationRecord | undefined {
    if (!existsSync(this.path)) return undefined;
    let stored: z.infer<typeof storedSchema>;
    try {
      stored = storedSchema.parse(JSON.parse(readFileSync(this.path, "utf8")));
    } catch (error) {
      const why = error instanceof z.ZodError ? "its format is wrong" : messageOf(error);
      throw new RecordError(`${this.path} cannot be read: ${why}.`);
    }
    const { epoch, generation, mac } = stored;
    if (!timingSafeEqual(Buffer.from(mac, "hex"), this.#mac({ epoch, generation }))) {
      throw new RecordError(`${this.path} was altered, or belongs to another key file.`);
    }
    return { epoch, generation };
  }

  /** Writes the record, which is on disk when this returns. */
  write(record: GenerationRecord): void {
    const { epoch, generation } = record;
    const mac = Buffer.from(this.#mac(record)).toString("hex");
    replaceFile(this.path, JSON.stringify({ format: 1, epoch, generation, mac }, null, 2) + "\n");
  }

  #mac({ epoch, generation }: GenerationRecord): Uint8Array {
    return this.#key.mac(`${epoch}:${generation}`);
  }
}
