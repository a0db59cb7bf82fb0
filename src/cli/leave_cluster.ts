// Implements `leave-cluster`: writes the data of a cluster as the data folder of a single server.

import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { syncPath } from "../keyring/durable_file.ts";
import { KeyFile } from "../keyring/key_file.ts";
import { describeFinding } from "../store/authenticated_tables.ts";
import { DataFolderError } from "../store/data_folder.ts";
import { openSnapshot } from "../store/snapshot.ts";
import { DATABASE, KEY_FILE } from "./backup.ts";
import { type Command, type Context, UsageError } from "./command.ts";
import { counted } from "./folder.ts";
import { requireCluster } from "./migrate_to_cluster.ts";
import { verifyDatabase } from "./verify.ts";

export const leaveCommand: Command = {
  name: "leave-cluster",
  positionals: ["<dir>"],
  help: [
    "Write the data of a cluster as the data folder of a single server.",
    "Needs DATABASE_URL and the passphrase, and a new or empty folder; works on any machine, also while nodes run. The",
    "cluster stays as it is: stop its nodes before, or their later changes are not in the folder. Start the server with",
    "DATA_DIR set to the folder and an empty CODE_DIR, which gets the newest version of the code.",
  ],
  async run(context, { positionals: [dir] }) {
    const cluster = requireCluster(context);
    const folder = resolve(context.cwd, dir!);
    if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)) {
      throw new UsageError(`${folder} exists and is not an empty folder. leave-cluster needs a new or empty folder.`);
    }
    const draft = `${folder}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true, mode: 0o700 });
    try {
      const { writeDataFolder } = await import("../cluster/moving/departure.ts");
      const { keyringPassphrase: passphrase } = context.config;
      const { head, contents, missing } = await context.progress(
        "Copying",
        (onProgress) => writeDataFolder({ cluster, passphrase, folder: draft, onProgress }),
      );
      const values = await requireSound(context, draft);
      // Only whole data is ever in the folder.
      for (const name of readdirSync(draft)) syncPath(join(draft, name));
      syncPath(draft);
      if (existsSync(folder)) rmdirSync(folder);
      renameSync(draft, folder);
      syncPath(dirname(folder));
      return {
        json: { folder, head: `${head.seq}:${head.mac}`, values, contents, missing },
        lines: [
          `${folder} has ${counted(values, "value")} and ${
            counted(contents, "content")
          } of code, as of change ${head.seq}.`,
          ...missing.map((sha256) => `The content ${sha256} of an earlier version of the code is not stored any more.`),
          "The key file is encrypted with the passphrase. The cluster was not changed.",
        ],
      };
    } catch (error) {
      rmSync(draft, { recursive: true, force: true });
      throw error;
    }
  },
};

/** Checks what was written as `verify` does; returns the number of values. @throws DataFolderError */
async function requireSound(context: Context, folder: string): Promise<number> {
  const database = join(folder, DATABASE);
  const { keyring } = new KeyFile(join(folder, KEY_FILE), context.config.keyringPassphrase);
  const { findings } = await verifyDatabase(context, database, keyring);
  if (findings.length > 0) {
    throw new DataFolderError(`The data of the cluster is not whole: ${findings.map(describeFinding).join("; ")}.`);
  }
  using snapshot = openSnapshot(database);
  return snapshot.count();
}
