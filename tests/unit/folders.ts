// Makes the folders that processes of functions need.

import { join } from "node:path";

export function foldersIn(home: string): { runDir: string; codeDir: string; denoDir: string } {
  const [runDir, codeDir, denoDir] = ["run", "code", "deno"].map((name) => join(home, name)) as [
    string,
    string,
    string,
  ];
  for (const folder of [runDir, codeDir, denoDir]) Deno.mkdirSync(folder);
  return { runDir, codeDir, denoDir };
}
