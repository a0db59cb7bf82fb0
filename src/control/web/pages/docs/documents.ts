// Reads the documentation that comes with the program: the Markdown files of docs/, of exactly this version.

import { createHash } from "node:crypto";

const FOLDER = new URL("../../../../../docs/", import.meta.url);

export interface Heading {
  readonly level: number;
  readonly id: string;
  readonly text: string;
}

/** One page of the documentation. */
export interface Document {
  /** Its path below docs/ without `.md`, such as `encryption` or `decisions/003-aad`. */
  readonly name: string;
  readonly title: string;
  readonly markdown: string;
  /** Those below the title, in order. */
  readonly headings: readonly Heading[];
}

export interface Picture {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** What readers need first: to build, then to operate, then to understand. Others follow in the order of their names. */
const ORDER = [
  ...["admin-pages", "writing-functions", "secrets-management", "sealed-secrets", "api-keys", "packages"],
  ...["deploying-code", "git", "ci", "remote-cli", "api-reference", "observability", "announcements", "audit"],
  ...["configuration", "deployment", "cluster", "encryption", "cli", "security-model", "performance", "architecture"],
];

/**
 * The documentation, which is read on first use. Only names that a listing of the folder gave are ever opened, so that
 * no address leads to another file.
 */
export class Documents {
  #all: Promise<ReadonlyMap<string, Document>> | undefined;
  #pictures: Promise<ReadonlySet<string>> | undefined;

  /** Returns all documents by name, in order. Empty if this installation has none. */
  all(): Promise<ReadonlyMap<string, Document>> {
    return this.#all ??= readAll();
  }

  /** Returns a picture of docs/images by the name of its file. */
  async picture(name: string): Promise<Picture | undefined> {
    const names = await (this.#pictures ??= listed("images/", ".png").then((found) => new Set(found)));
    if (!names.has(name)) return undefined;
    const bytes = await Deno.readFile(new URL(`images/${name}.png`, FOLDER));
    return { bytes, etag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 16)}"` };
  }
}

async function readAll(): Promise<ReadonlyMap<string, Document>> {
  const pages = (await listed("", ".md")).sort((a, b) => rankOf(a) - rankOf(b) || a.localeCompare(b));
  const decisions = (await listed("decisions/", ".md")).sort().map((name) => `decisions/${name}`);
  const read = [...pages, ...decisions].map(async (name) => {
    const text = await Deno.readTextFile(new URL(`${name}.md`, FOLDER));
    return [name, documentOf(name, text)] as const;
  });
  return new Map(await Promise.all(read));
}

function rankOf(name: string): number {
  const rank = ORDER.indexOf(name);
  return rank === -1 ? ORDER.length : rank;
}

/** Returns the files of a folder that end in `extension`, without it. */
async function listed(folder: string, extension: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name, isFile } of Deno.readDir(new URL(folder, FOLDER))) {
      if (isFile && name.endsWith(extension)) names.push(name.slice(0, -extension.length));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return names;
}

/** Returns a document from its file: front matter is read for the title and left out. */
export function documentOf(name: string, text: string): Document {
  const [front = ""] = /^---\n.*?\n---\n/s.exec(text) ?? [];
  const markdown = text.slice(front.length);
  const ids = new Map<string, number>();
  const headings: Heading[] = [];
  let inCode = false;
  for (const line of markdown.split("\n")) {
    if (line.startsWith("```")) inCode = !inCode;
    const [, marks, source] = (!inCode && /^(#{1,6}) +(.+?) *$/.exec(line)) || [];
    if (marks === undefined) continue;
    const plain = source!.replaceAll(/[`*]|\[([^\]]*)\]\([^)]*\)/g, "$1");
    headings.push({ level: marks.length, id: uniqueId(source!, ids), text: plain });
  }
  const [, named] = /^title: (.+)$/m.exec(front) ?? [];
  const title = named ?? headings.find(({ level }) => level === 1)?.text ?? name;
  return { name, title, markdown, headings: headings.filter(({ level }) => level > 1) };
}

/** Returns the id of a heading as GitHub makes it; the second one of a name gets a number. */
export function uniqueId(heading: string, taken: Map<string, number>): string {
  const id = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
  const before = taken.get(id) ?? 0;
  taken.set(id, before + 1);
  return before === 0 ? id : `${id}-${before}`;
}
