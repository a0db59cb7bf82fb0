// Reads the documentation that comes with the program: the Markdown files of docs/, of exactly this version.

import { createHash } from "node:crypto";

export const DOCS_PATH = "/web/docs";
const FOLDER = new URL("../../../../../docs/", import.meta.url);

export interface Heading {
  readonly level: number;
  readonly id: string;
  readonly text: string;
}

/** A part of a document that a page shows. */
export interface Part {
  /** The id of its heading; empty for a whole document and for what comes before the first section. */
  readonly id: string;
  readonly title: string;
  readonly markdown: string;
  /** Those of the part, in order, with that of a section itself. */
  readonly headings: readonly Heading[];
}

/** One document. */
export interface Document {
  /** Its path below docs/ without `.md`, such as `encryption` or `decisions/003-aad`. */
  readonly name: string;
  readonly title: string;
  /** Its first sentence, as plain text. */
  readonly summary: string;
  /** Those below the title, in order. */
  readonly headings: readonly Heading[];
  /** The whole document; or, if it is long, what comes before its first section, and then each section. */
  readonly parts: readonly [Part, ...Part[]];
}

export interface Picture {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
}

/** Documents by what they are for, in the order in which readers need them. Others belong to the last group. */
export const DOCUMENT_GROUPS: readonly (readonly [title: string, names: readonly string[]])[] = [
  ["Build", [
    ...["admin-pages", "writing-functions", "secrets-management", "sealed-secrets", "api-keys", "packages"],
    ...["deploying-code", "git", "ci", "remote-cli", "api-reference"],
  ]],
  ["Operate", [
    ...["observability", "announcements", "audit", "configuration", "deployment", "cluster", "encryption", "cli"],
  ]],
  ["Understand", ["security-model", "performance", "architecture"]],
];
const ORDER = DOCUMENT_GROUPS.flatMap(([, names]) => names);

/** A longer document has a page for each section, so that no page transfers more than 10 kB. */
const WHOLE_MAX_LENGTH = 12_000;

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
  const parts = partsOf(markdown);
  const headings = parts.flatMap((part) => part.headings);
  const [, named] = /^title: (.+)$/m.exec(front) ?? [];
  const title = named ?? headings.find(({ level }) => level === 1)?.text ?? name;
  const isLong = markdown.length > WHOLE_MAX_LENGTH && parts.length > 2;
  const whole: Part = { id: "", title, markdown, headings: headings.filter(({ level }) => level > 1) };
  const [before, ...sections] = parts;
  return {
    name,
    title,
    summary: summaryOf(markdown),
    headings: whole.headings,
    parts: isLong ? [{ ...before!, title, headings: [] }, ...sections] : [whole],
  };
}

/** Returns what comes before the first heading of the second level, and the part of each. */
function partsOf(markdown: string): Part[] {
  const ids = new Map<string, number>();
  const parts: { id: string; title: string; lines: string[]; headings: Heading[] }[] = [
    { id: "", title: "", lines: [], headings: [] },
  ];
  let inCode = false;
  for (const line of markdown.split("\n")) {
    if (line.startsWith("```")) inCode = !inCode;
    const [, marks, source] = (!inCode && /^(#{1,6}) +(.+?) *$/.exec(line)) || [];
    if (marks !== undefined) {
      const heading = { level: marks.length, id: uniqueId(source!, ids), text: plain(source!) };
      if (heading.level === 2) parts.push({ id: heading.id, title: heading.text, lines: [], headings: [] });
      parts.at(-1)!.headings.push(heading);
    }
    parts.at(-1)!.lines.push(line);
  }
  return parts.map(({ lines, ...part }) => ({ ...part, markdown: lines.join("\n") }));
}

function summaryOf(markdown: string): string {
  const text = plain(markdown.split(/\n{2,}/).find((block) => /^[A-Z`*[]/.test(block)) ?? "");
  return /^.+?[.:](?= |$)/s.exec(text)?.[0].replace(/:$/, ".") ?? text;
}

/** Returns Markdown of one line without its marks. */
function plain(source: string): string {
  return source.replaceAll(/[`*]|\[([^\]]*)\]\([^)]*\)/g, "$1");
}

/** Returns the part of a document that has the heading with that id. */
export function partWith({ parts }: Document, id: string): Part | undefined {
  return parts.find(({ headings }) => headings.some((heading) => heading.id === id));
}

/** Returns the address of a document, or of the heading with that id in it. */
export function addressOf(document: Document, id = ""): string {
  const part = partWith(document, id) ?? document.parts[0];
  const path = [DOCS_PATH, document.name, ...(part.id === "" ? [] : [part.id])].join("/");
  return id === part.id ? path : `${path}#${id}`;
}

/** Returns the id of a heading as GitHub makes it; the second one of a name gets a number. */
export function uniqueId(heading: string, taken: Map<string, number>): string {
  const id = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
  const before = taken.get(id) ?? 0;
  taken.set(id, before + 1);
  return before === 0 ? id : `${id}-${before}`;
}
