// Where this Deno keeps its cache: sandboxes start with an empty environment and have to be told.

/** @throws Error if Deno does not say */
export async function findDenoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", "--no-config"], stdin: "null" })
    .output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout)) as { denoDir?: string };
  if (!denoDir) throw new Error("`deno info` names no cache folder");
  return denoDir;
}
