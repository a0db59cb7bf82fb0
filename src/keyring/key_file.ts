// encryption-keys.json: reading, checking and creating it. The only place where key bytes are text.

import { Buffer } from "node:buffer";
import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { replaceFile } from "./durable_file.ts";
import { Keyring } from "./keyring.ts";

const KEY_BYTES = 32;

const keyText = z.string().refine((text) => {
  const bytes = Buffer.from(text, "base64");
  return bytes.length === KEY_BYTES && bytes.toString("base64") === text;
}, `must be ${KEY_BYTES} bytes in base64`);

const fileSchema = z.strictObject({
  format: z.literal(1),
  current: z.int().min(1),
  keys: z.array(z.strictObject({ version: z.int().min(1), key: keyText, createdAt: z.iso.datetime() })).min(1),
  lookupKey: keyText,
}).superRefine((file, context) => {
  const versions = file.keys.map((key) => key.version);
  if (new Set(versions).size !== versions.length) {
    context.addIssue({ code: "custom", path: ["keys"], message: "holds a version twice" });
  }
  if (!versions.includes(file.current)) {
    context.addIssue({ code: "custom", path: ["current"], message: "names a version that keys does not hold" });
  }
});

/** Something about the key file that the operator has to mend; the message names the file. */
export class KeyFileError extends Error {}

/**
 * The keyring of the file at `path`. Creates the file if there is none and `dataExists` is false.
 * The new file is on disk before the keyring is returned, so nothing is ever encrypted with a key that could be lost.
 * @throws KeyFileError if the file is missing beside existing data, unreadable or wrong; it is then left as it is
 */
export function openKeyring(path: string, dataExists: boolean, now: Date): Keyring {
  if (!existsSync(path)) {
    if (dataExists) {
      throw new KeyFileError(
        `${path} is missing, but there is a database beside it. Put the key file back from your backup; ` +
          "without it the secrets and API keys in the database cannot be read.",
      );
    }
    create(path, now);
  }
  return read(path);
}

function create(path: string, now: Date): void {
  const newKey = () => randomBytes(KEY_BYTES).toString("base64");
  const file: z.input<typeof fileSchema> = {
    format: 1,
    current: 1,
    keys: [{ version: 1, key: newKey(), createdAt: now.toISOString() }],
    lookupKey: newKey(),
  };
  replaceFile(path, JSON.stringify(file, null, 2) + "\n");
}

function read(path: string): Keyring {
  let json: unknown;
  try {
    json = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    // The parser's own message quotes the text, which may be key material.
    const why = error instanceof SyntaxError ? "is not JSON" : `cannot be read (${(error as { code?: string }).code})`;
    throw new KeyFileError(`${path} ${why}. Put the key file back from your backup.`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue!.path.join(".") || "the file";
    throw new KeyFileError(
      `${path} is not a valid key file: ${where}: ${issue!.message}. Put it back from your backup.`,
    );
  }
  chmodSync(path, 0o600);
  const { keys, current, lookupKey } = parsed.data;
  return new Keyring(
    new Map(keys.map(({ version, key }) => [version, keyObject(key)])),
    current,
    keyObject(lookupKey),
  );
}

function keyObject(text: string): KeyObject {
  return createSecretKey(Buffer.from(text, "base64"));
}
