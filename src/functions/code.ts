// What a sandbox process is given of a handler: its modules, the packages that these import, and its limits.

import type { Code } from "../sandbox/process.ts";
import type { ModuleGraph } from "./imports.ts";

export type ProcessLimits = Pick<Code, "importHosts" | "net" | "memoryMb">;

export function codeOf(graph: ModuleGraph, { importHosts, net, memoryMb }: ProcessLimits): Code {
  return {
    files: graph.files,
    lock: graph.lock,
    config: graph.config,
    packages: graph.packages,
    packageFiles: graph.packageFiles,
    importHosts,
    net,
    memoryMb,
  };
}
