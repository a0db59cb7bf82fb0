// Implements `verify`, which checks that only this program has changed the database.

import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { RECORD_FILE, RecordError, RecordFile } from "../keyring/generation_record.ts";
import { KeyFile } from "../keyring/key_file.ts";
import type { Keyring } from "../keyring/keyring.ts";
import type { Head } from "../keyring/sealed_head.ts";
import { HeadError } from "../store/rows_head.ts";
import { describeFinding, type Finding } from "../store/authenticated_tables.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { openVerification } from "../store/verification.ts";
import { type Command, type Context, EXIT, type Report } from "./command.ts";
import { counted, requirePair } from "./folder.ts";

export const verifyCommand: Command = {
  name: "verify",
  help: [
    "Find rows of the database that something other than this program altered, added, removed or restored.",
    "Works while the server runs, and changes nothing. Exit code 1 if there are any.",
  ],
  async run(context) {
    const { database, keyFile, config } = context;
    {
      using snapshot = openSnapshot(database);
      const { keyring } = new KeyFile(keyFile, config.keyringPassphrase);
      requirePair(snapshot, keyring, keyFile);
      if (!snapshot.isAuthenticated) {
        throw new DataFolderError(
          `${database} is from an older version of this program, which did not authenticate rows.`,
        );
      }
    }
    const { keyring } = new KeyFile(keyFile, config.keyringPassphrase);
    const { rows, findings } = await verifyDatabase(context, database, keyring);
    return {
      code: findings.length > 0 ? EXIT.failed : EXIT.ok,
      json: { rows, findings: findings.map(({ table, id = null, problem }) => ({ table, id, problem })) },
      lines: findings.length > 0
        ? findings.map((finding) => `${sentence(describeFinding(finding))}.`)
        : [`Verified ${counted(rows, "row")}: all are as this program wrote them.`],
    };
  },
};

/** Compares all rows of the database at `path` with its head, and the head with the record next to it. */
export async function verifyDatabase(
  context: Pick<Context, "progress">,
  path: string,
  keyring: Keyring,
): Promise<{ rows: number; findings: readonly Finding[] }> {
  try {
    using verification = openVerification(path, keyring);
    const { rows, head } = verification;
    const findings = await context.progress("Verifying", (report) => stepThrough(verification.run(), rows, report));
    return { rows, findings: [...recordFindings(path, keyring, head), ...findings] };
  } catch (error) {
    if (!(error instanceof HeadError)) throw error;
    return { rows: 0, findings: [{ table: "meta", id: "rows-head", problem: "was removed or altered" }] };
  }
}

function stepThrough(steps: Generator<number, readonly Finding[]>, rows: number, report: Report): readonly Finding[] {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    report(value, rows);
  }
}

/** Compares the head with the record. */
function recordFindings(path: string, keyring: Keyring, head: Head): Finding[] {
  const file = join(dirname(path), RECORD_FILE);
  const finding = (problem: string): Finding[] => [{ table: "meta", id: "rows-head", problem }];
  if (!existsSync(file)) return finding(`has no record: ${file} is missing`);
  try {
    const record = new RecordFile(file, keyring).read()!;
    const isOlder = record.epoch !== head.epoch || record.generation > head.generation;
    return isOlder ? finding(`is of an earlier state than ${file} says`) : [];
  } catch (error) {
    if (!(error instanceof RecordError)) throw error;
    return finding(`has no valid record: ${error.message.replace(/\.$/, "")}`);
  }
}

function sentence(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1);
}
