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
  const modules = new Set(assets.files.length === 0 ? [] : graph.files);
  const others = assets.files.map((file, index) => ({ file, source: assets.sources[index] }))
    .filter(({ file }) => !modules.has(file));
  // Without an entry for each module, those of the others would be at the wrong places.
  const ofModules = graph.files.map((_, index) => graph.sources[index]);
  return {
    files: [...graph.files, ...others.map(({ file }) => file)],
    sources: [...ofModules, ...others.map(({ source }) => source)],
    lock: graph.lock,
    config: graph.config,
    packages: graph.packages,
    packageFiles: graph.npm.map(({ folder }) => folder),
    importHosts,
    net,
    memoryMb,
  };
}
