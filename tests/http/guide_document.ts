// Code taken from the guide as it stands, by the headings it stands under.

const GUIDE = new URL("../../docs/secrets-management.md", import.meta.url);

/** The first block of `language` under `heading` (and, if given, below the line `after` in it). */
export async function guideBlock(
  heading: string,
  language: string,
  after?: string,
): Promise<string> {
  const text = await Deno.readTextFile(GUIDE);
  const section = new RegExp(
    `^#+ ${escape(heading)}\\n([\\s\\S]*?)(?=^#{1,6} [A-Z0-9]|$(?![\\s\\S]))`,
    "m",
  ).exec(withoutCode(text));
  if (!section) throw new Error(`the guide has no heading "${heading}"`);
  const begin = section.index;
  const part = text.slice(begin, begin + section[0].length);
  const from = after === undefined ? 0 : part.indexOf(after);
  if (from === -1) throw new Error(`"${heading}" has no line "${after}"`);
  const block = new RegExp("^```" + language + "\\n([\\s\\S]*?)^```$", "m")
    .exec(part.slice(from));
  if (!block) throw new Error(`"${heading}" has no block of ${language}`);
  return block[1]!;
}

/** Every block of `language` in the guide. */
export async function guideBlocks(language: string): Promise<string[]> {
  const text = await Deno.readTextFile(GUIDE);
  return [
    ...text.matchAll(
      new RegExp("^```" + language + "\\n([\\s\\S]*?)^```$", "gm"),
    ),
  ].map((match) => match[1]!);
}

/** The same text with the comment lines of code blanked, so that "# List" is not taken for a heading. */
function withoutCode(text: string): string {
  return text.replace(
    /^```[\s\S]*?^```$/gm,
    (block) => block.replace(/[^\n]/g, " "),
  );
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
