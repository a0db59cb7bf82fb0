// Lets the files of a test be written without versions of them.

import type { FilesOptions } from "../../src/code/files/files.ts";

export const WITHOUT_HISTORY: Pick<FilesOptions, "change" | "history" | "requireWritable"> = {
  requireWritable() {},
  change: (_actor, work) => work(),
  history: {
    settle: () => Promise.resolve(),
    keep: () => Promise.resolve(),
    commit: () => undefined,
    wrote() {},
  },
};
