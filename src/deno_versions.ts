// Checks the version of Deno, which is a part of the wall around handlers.

/** Versions on which `deno task test:hostile` has passed, oldest first. README names the last one. */
export const PROVED_VERSIONS: readonly string[] = ["2.9.6"];
/** The server does not start on an older version, on which the confinement of handlers was never tested. */
export const MINIMUM_VERSION = "2.9.6";

/** Returns why the server must not run on this version of Deno; undefined if it may. */
export function denoRefusal(version: string = Deno.version.deno): string | undefined {
  if (compare(version, MINIMUM_VERSION) >= 0) return undefined;
  return `Deno ${version} is too old for this server, which takes ${MINIMUM_VERSION} or later. ` +
    `Start it by: npx -y deno@${PROVED_VERSIONS.at(-1)} task start`;
}

/** Returns a sentence for the operator if this version of Deno has not been tested; undefined if it has. */
export function denoWarning(version: string = Deno.version.deno): string | undefined {
  if (PROVED_VERSIONS.includes(version)) return undefined;
  return `Deno ${version} has not passed this server's tests with hostile handlers; ${
    PROVED_VERSIONS.join(", ")
  } has: npx -y deno@${PROVED_VERSIONS.at(-1)} task start`;
}

/** Orders versions; a pre-release (`2.9.6-rc.1`) comes before its release. */
function compare(a: string, b: string): number {
  const [partsA, partsB] = [a, b].map((version) => version.split(/[.+-]/, 3).map(Number));
  for (const [index, part] of partsA!.entries()) {
    if (part !== partsB![index]) return part - (partsB![index] ?? 0);
  }
  return Number(b.includes("-")) - Number(a.includes("-"));
}
