// The pages of the documentation as data: their code blocks, and what a shell session of them printed.

import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** What the pages call the server. */
const DOCUMENTED_URL = "http://localhost:8000";
/** Stands in a session's output before what its next block prints. */
const MARK = "\x1e";

export interface Block {
  readonly language: string;
  readonly code: string;
  /** The line of the page that it begins on. */
  readonly line: number;
  /** Of a shell block: the `text` or `json` block that comes right after it, with blank lines between at most. */
  readonly output: Block | undefined;
}

/** Every page, `README.md` first, as a path from the root. */
export function pagePaths(): string[] {
  const pages: string[] = [];
  const walk = (folder: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(ROOT + folder)) {
      if (isDirectory) walk(`${folder}/${name}`);
      else if (name.endsWith(".md")) pages.push(`${folder}/${name}`);
    }
  };
  walk("docs");
  return ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ...pages.sort()];
}

export function readPage(path: string): string {
  return Deno.readTextFileSync(ROOT + path);
}

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const found = [...page.matchAll(/^```(\w*)[^\n]*\n([\s\S]*?)^```$/gm)].map((
    match,
  ) => ({
    language: match[1]!,
    code: match[2]!,
    line: page.slice(0, match.index).split("\n").length,
    start: match.index,
    end: match.index + match[0].length,
  }));
  return found.map(({ language, code, line, end }, index) => {
    const next = found[index + 1];
    const follows = next && ["text", "json"].includes(next.language) &&
      page.slice(end, next.start).trim() === "";
    const output = language === "bash" && follows ? { ...next, output: undefined } : undefined;
    return { language, code, line, output };
  });
}

/** The page without its code: headings and links that are the page's own. */
export function proseOf(page: string): string {
  return page.replace(/^```[\s\S]*?^```$/gm, "");
}

/** One script of all shell blocks: each prints its mark first, and talks to the server at `url`. */
export function sessionScript(blocks: readonly Block[], url: string): string {
  return blocks.map(({ code }) => `printf '${MARK}'\n${code.replaceAll(DOCUMENTED_URL, url)}\n`).join("");
}

/** What each block of a session printed. */
export function outputs(stdout: string): string[] {
  return stdout.split(MARK).slice(1);
}

/**
 * Output as it can be compared: two runs differ in times, UUIDs, MACs, API keys made at random with the ends of them
 * that are shown, and the server's address, and in nothing else.
 */
export function comparable(text: string, url: string): string {
  return text.replaceAll(url, DOCUMENTED_URL)
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>")
    .replace(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>")
    .replace(/\b[0-9a-f]{64}\b/g, "<mac>")
    .replace(/cf_[A-Za-z0-9_-]{43}/g, "<key>")
    .replace(/…[\x21-\x7e]{4}(?=")/g, "…<end>")
    .trim();
}

/** The ids that headings get, as GitHub makes them. */
export function anchorsOf(page: string): string[] {
  return [...proseOf(page).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(
      " ",
      "-",
    )
  );
}
