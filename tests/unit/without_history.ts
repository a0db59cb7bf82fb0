// Lets the files of a test be written without versions of them.

import type { FilesOptions } from "../../src/code/files/files.ts";

export const WITHOUT_HISTORY: Pick<FilesOptions, "recordAlone" | "store" | "history" | "requireWritable"> = {
  requireWritable() {},
  recordAlone: () => Promise.resolve(),
  store: {
    change: (_actor, work) => work(),
    // The log of a cluster's changes can run `work` again, and keeps only what it did last.
    commit: async <T, R = T>(work: () => T, applied = (result: T) => result as unknown as R) => {
      work();
      return await Promise.resolve(applied(work()));
    },
  },
  history: {
    settle: () => Promise.resolve(),
    keep: () => Promise.resolve(),
    commit: () => undefined,
    wrote() {},
    putsInPlaceLater: () => false,
  },
};
