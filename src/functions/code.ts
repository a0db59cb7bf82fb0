// What a sandbox process is given of a handler: its modules, the packages that these import, and its limits.

import type { Code } from "../sandbox/process.ts";
import type { ModuleGraph } from "./imports.ts";

export type ProcessLimits = Pick<Code, "importHosts" | "net" | "memoryMb">;

/** `lockFile` has the versions of all fetched packages. */
export function codeOf(graph: ModuleGraph, lockFile: string, { importHosts, net, memoryMb }: ProcessLimits): Code {
  return {
    files: graph.files,
    lockFile: graph.remote ? lockFile : undefined,
    packages: graph.packages,
    importHosts,
    net,
    memoryMb,
  };
}
