// `audit …`: whether the audit is as it was written, and the head by which a later check finds if it was set back.

import { AUDIT_KEY, type AuditHead, openHead, type Sign, signer, verifyChain } from "../observe/audit_chain.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { openSnapshot, type Snapshot } from "../store/snapshot.ts";
import { type Command, type Context, EXIT, type Given, UsageError } from "./command.ts";
import { counted, requirePair } from "./folder.ts";

const verify: Command = {
  name: "audit verify",
  options: {
    head: { type: "string", value: "HEAD", help: "what `audit head` printed earlier" },
    from: { type: "string", value: "ID", help: "the entry to begin with; what is before it is taken as given" },
  },
  help: [
    "Find the first entry of the audit that was altered, removed, added or moved.",
    "Works while the server runs, and changes nothing. Exit code 1 if there is one.",
  ],
  run(context, { options }) {
    const known = headOption(options.head);
    const from = fromOption(options.from);
    using snapshot = openSnapshot(context.database);
    const { entries, head } = auditOf(context, snapshot);
    const sign = signerOf(context, snapshot);
    const total = openHead(head ?? "", sign)?.count ?? 0;
    return context.progress("Verifying", (report) => {
      let checked = 0;
      const problem = verifyChain({ entries, head, sign, known, from, onEntry: () => report(++checked, total) });
      return {
        code: problem ? EXIT.failed : EXIT.ok,
        json: { checked, problem: problem ?? null },
        lines: [
          problem
            ? `Entry ${problem.id} ${problem.problem}.`
            : `${counted(checked, "entry", "entries")} of the audit are as they were written.`,
        ],
      };
    });
  },
};

const head: Command = {
  name: "audit head",
  help: [
    "Print how many entries the audit has, and the MAC of the last.",
    "Works while the server runs. Keep it where nobody who can write the database can: `audit verify --head` finds by",
    "it whether the audit was set back to an earlier state.",
  ],
  run(context) {
    using snapshot = openSnapshot(context.database);
    const { head } = auditOf(context, snapshot);
    const opened = head === undefined ? undefined : openHead(head, signerOf(context, snapshot));
    if (!opened) {
      return {
        code: EXIT.failed,
        json: { head: null },
        lines: ["The head of the audit is gone or altered. See what `deno task cli audit verify` finds."],
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
  throw new DataFolderError(`${database} is of an older version of this program, which kept no audit.`);
}

/** @throws KeyFileError */
function signerOf({ keyFile, config }: Context, snapshot: Snapshot): Sign {
  const { keyring } = new KeyFile(keyFile, config.keyringPassphrase);
  requirePair(snapshot, keyring, keyFile);
  return signer(keyring.derive(AUDIT_KEY));
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
