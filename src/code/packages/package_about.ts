// Reads what a package of npm says about itself in its package.json.

import { join } from "node:path";
import { oneLine } from "../../text.ts";

export interface PackageAbout {
  /** As the package writes it, such as "MIT"; undefined if it names none. */
  readonly license: string | undefined;
  readonly description: string | undefined;
}

const NOTHING: PackageAbout = { license: undefined, description: undefined };
/** A larger file is not read. */
const MANIFEST_MAX_BYTES = 1024 * 1024;
const LICENSE_MAX_LENGTH = 100;
const DESCRIPTION_MAX_LENGTH = 300;

/** Never throws: what a package writes there may be anything. */
export async function readAbout(folder: string): Promise<PackageAbout> {
  try {
    const path = join(folder, "package.json");
    if ((await Deno.lstat(path)).size > MANIFEST_MAX_BYTES) return NOTHING;
    const manifest: unknown = JSON.parse(await Deno.readTextFile(path));
    if (typeof manifest !== "object" || manifest === null) return NOTHING;
    const { license, licenses, description } = manifest as Record<string, unknown>;
    return {
      license: textOf(licenseOf(license ?? licenses), LICENSE_MAX_LENGTH),
      description: textOf(description, DESCRIPTION_MAX_LENGTH),
    };
  } catch {
    return NOTHING;
  }
}

/** Older packages write `{ "type": "MIT" }`, or a list of such objects. */
function licenseOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(licenseOf).filter((one) => typeof one === "string").join(" OR ");
  return typeof value === "object" && value !== null ? (value as { type?: unknown }).type : value;
}

function textOf(value: unknown, maxLength: number): string | undefined {
  const text = typeof value === "string" ? oneLine(value.trim()).slice(0, maxLength).toWellFormed() : "";
  return text === "" ? undefined : text;
}
