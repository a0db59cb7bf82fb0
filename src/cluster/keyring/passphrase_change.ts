// Changes the passphrase of a cluster's keyring, from any machine. Nodes that run need the new one at their next start.

import type { Passphrase } from "../../config.ts";
import type { KeyFile, KeyFileDraft } from "../../keyring/key_file.ts";
import type { ChangeLog, Head } from "../log/change_log.ts";
import { newEntryId } from "../log/entry.ts";
import type { Snapshots } from "../postgres/snapshots.ts";

const ENTRIES_AT_ONCE = 200;

/**
 * Appends the keyring, encrypted with `passphrase`, to the log, whose entries since the newest snapshot are checked before.
 * `keyFile` is as it is in PostgreSQL.
 * @throws LogTampered, StoreUnavailable, KeyFileError
 */
export async function changePassphrase(
  { log, snapshots }: { readonly log: ChangeLog; readonly snapshots: Pick<Snapshots, "list"> },
  keyFile: KeyFile,
  passphrase: Passphrase,
): Promise<void> {
  const [newest] = await snapshots.list();
  let head: Head = newest?.head ?? log.start;
  const follow = async (): Promise<void> => {
    for (;;) {
      const entries = await log.read(head, ENTRIES_AT_ONCE);
      if (entries.length === 0) return;
      for (const { kind, body } of entries) if (kind === "keyring") keyFile.adopt(new TextDecoder().decode(body));
      head = entries.at(-1)!;
    }
  };
  await follow();
  // Deriving its key takes half a second, for which no writer should have to wait.
  let draft: KeyFileDraft = keyFile.withPassphrase(passphrase);
  await log.exclusively(async (locked) => {
    await follow();
    if (draft.revision !== keyFile.revision + 1) draft = keyFile.withPassphrase(passphrase);
    const body = new TextEncoder().encode(draft.text);
    const summary = `keyring revision ${draft.revision}: new passphrase`;
    await locked.append(head, { id: newEntryId(), kind: "keyring", body, summary });
  });
}
