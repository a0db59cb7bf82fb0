// Implements `audit verify`, which verifies the audit or an export of it, and `audit head`, which prints the head by
// which a later verification detects a rollback.

import { closeSync, openSync, readSync } from "node:fs";
import { resolve } from "node:path";
import { reasonOf } from "../errors.ts";
import {
  AUDIT_KEY,
  type AuditHead,
  type ChainProblem,
  type ChainToVerify,
  createSigner,
  openHead,
  type Sign,
  verifyChain,
} from "../core/audit/chain.ts";
import { readExport } from "../core/audit/export.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { openSnapshot, type Snapshot } from "../store/snapshot.ts";
import { type Command, type Context, EXIT, type Given, type Result, UsageError } from "./command.ts";
import { counted, requirePair } from "./folder.ts";

const verify: Command = {
  name: "audit verify",
  options: {
    head: { type: "string", value: "HEAD", help: "what `audit head` printed earlier" },
    export: { type: "string", value: "FILE", help: "verify this export instead of the database" },
    from: { type: "string", value: "ID", help: "the first entry to verify; earlier entries are trusted" },
  },
  help: [
    "Find the first entry of the audit that was altered, removed, added or moved.",
    "Works while the server runs, and changes nothing. Exit code 1 if there is one.",
    "With --export, find the first such line of a file from /api/audit/export. This needs only the key file.",
  ],
  run(context, { options }) {
    const known = headOption(options.head);
    const from = fromOption(options.from);
    if (options.export !== undefined) return verifyExport(context, String(options.export), known, from);
    using snapshot = openSnapshot(context.database);
    const { entries, head } = auditOf(context, snapshot);
    const chain = { entries, head, sign: signerOf(context, snapshot), known, from };
    return verified(context, chain, ({ id, problem }) => ({ json: { id, problem }, text: `Entry ${id} ${problem}.` }));
  },
};

/** Returns the result of `audit verify`; `describe` describes the first problem. */
function verified(
  context: Context,
  chain: ChainToVerify,
  describe: (problem: ChainProblem, checked: number) => { json: object; text: string },
) {
  const total = openHead(chain.head ?? "", chain.sign)?.count ?? 0;
  return context.progress("Verifying", (report): Result => {
    let checked = 0;
    const problem = verifyChain({ ...chain, onEntry: () => report(++checked, total) });
    const described = problem && describe(problem, checked);
    return {
      code: described ? EXIT.failed : EXIT.ok,
      json: { checked, problem: described?.json ?? null },
      lines: [described?.text ?? `Verified ${counted(checked, "entry", "entries")} of the audit: all are as written.`],
    };
  });
}

function verifyExport(context: Context, file: string, known: AuditHead | undefined, from: number) {
  const path = resolve(context.cwd, file);
  const { keyring } = new KeyFile(context.keyFile, context.config.keyringPassphrase);
  const exported = readExport(() => linesOf(path));
  const { entries, head } = exported;
  const chain = { entries, head, sign: createSigner(keyring.derive(AUDIT_KEY)), known, from };
  return verified(context, chain, ({ id, problem: found }, checked) => {
    // Each line before this one contained the entry with its number.
    const line = from + checked;
    const place = exported.lineOf(id) ?? 0;
    const problem = place > line ? `is in line ${place}: the order was changed` : found;
    const hint = line === 1 ? ` Is ${context.keyFile} the key file of the server that it was exported from?` : "";
    return { json: { line, id, problem }, text: `Line ${line}: entry ${id} ${problem}.${hint}` };
  });
}

const CHUNK_BYTES = 1 << 16;

/** Reads the lines of a file lazily, without their line breaks. @throws DataFolderError */
function* linesOf(path: string): Generator<string> {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    throw new DataFolderError(`${path} cannot be read: ${reasonOf(error)}.`);
  }
  try {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const chunk = new Uint8Array(CHUNK_BYTES);
    let rest = "";
    for (let size = readSync(file, chunk); size > 0; size = readSync(file, chunk)) {
      const lines = (rest + decoder.decode(chunk.subarray(0, size), { stream: true })).split("\n");
      rest = lines.pop()!;
      yield* lines;
    }
    if (rest !== "") yield rest;
  } finally {
    closeSync(file);
  }
}

const head: Command = {
  name: "audit head",
  help: [
    "Print the number of entries of the audit, and the MAC of the last one.",
    "Works while the server runs. Keep the output where no one who can write the database can change it:",
    "`audit verify --head` uses it to detect that the audit was rolled back to an earlier state.",
  ],
  run(context) {
    using snapshot = openSnapshot(context.database);
    const { head } = auditOf(context, snapshot);
    const opened = head === undefined ? undefined : openHead(head, signerOf(context, snapshot));
    if (!opened) {
      return {
        code: EXIT.failed,
        json: { head: null },
        lines: ["The head of the audit is missing or altered. Run `deno task cli audit verify`."],
      };
    }
    const text = `${opened.count}:${opened.mac}`;
    return { json: { head: text, count: opened.count, mac: opened.mac }, lines: [text] };
  },
};

export const auditCommands: readonly Command[] = [verify, head];

/** @throws DataFolderError */
function auditOf({ database }: Context, { audit }: Snapshot): NonNullable<Snapshot["audit"]> {
  if (audit) return audit;
  throw new DataFolderError(`${database} is from an older version of this program, which had no audit.`);
}

/** @throws KeyFileError */
function signerOf({ keyFile, config }: Context, snapshot: Snapshot): Sign {
  const { keyring } = new KeyFile(keyFile, config.keyringPassphrase);
  requirePair(snapshot, keyring, keyFile);
  return createSigner(keyring.derive(AUDIT_KEY));
}

function headOption(given: Given["options"][string]): AuditHead | undefined {
  if (given === undefined) return undefined;
  const [, count, mac] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(String(given).trim()) ?? [];
  if (count === undefined || mac === undefined) {
    throw new UsageError("--head must be what `audit head` printed: a number, a colon and 64 hexadecimal digits.");
  }
  return { count: Number(count), mac };
}

function fromOption(given: Given["options"][string]): number {
  if (given === undefined) return 1;
  if (/^[1-9]\d{0,14}$/.test(String(given))) return Number(given);
  throw new UsageError("--from must be the id of an entry.");
}
