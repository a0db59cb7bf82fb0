// Assembles what a sandbox process gets of a handler: its modules and other files, the packages they import, and limits.

import type { Code } from "../../sandbox/process/process.ts";
import type { Assets } from "../files/assets.ts";
import type { ModuleGraph } from "./imports.ts";

export type ProcessLimits = Pick<Code, "importHosts" | "net" | "memoryMb">;

export function codeOf(
  graph: ModuleGraph,
  assets: Assets,
  { importHosts, net, memoryMb }: ProcessLimits,
): Code {
  return {
    files: assets.files.length === 0 ? graph.files : [...new Set([...graph.files, ...assets.files])],
    lock: graph.lock,
    config: graph.config,
    packages: graph.packages,
    packageFiles: graph.npm.map(({ folder }) => folder),
    importHosts,
    net,
    memoryMb,
  };
}
