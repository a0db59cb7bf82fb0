// Renders the table of docs/packages.md.

import { CATEGORIES } from "./cases.ts";
import { cannotWork, type Category, type PackageCase, versionOf, type WorkingPackage } from "./package_case.ts";
import { SERVICE_TITLES } from "./services/names.ts";

const PAGE = new URL("../../docs/packages.md", import.meta.url);
const BEGIN = "<!-- The table is written by `deno task test:packages --write`. -->";
const END = "<!-- End of the table. -->";

/** Puts the table into the page. */
export async function writeTable(): Promise<void> {
  const page = await Deno.readTextFile(PAGE);
  await Deno.writeTextFile(PAGE, withTable(page));
}

/** The page with the table of the cases instead of its own. */
export function withTable(page: string): string {
  const [before, rest] = split(page, BEGIN);
  const [, after] = split(rest, END);
  return `${before}${BEGIN}\n\n${table(CATEGORIES)}\n\n${END}${after}`;
}

function split(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  if (index < 0) throw new Error(`docs/packages.md lacks ${at}`);
  return [text.slice(0, index), text.slice(index + at.length)];
}

function table(categories: readonly Category[]): string {
  const cases = categories.flatMap((category) => category.cases);
  const cannot = cases.filter(cannotWork).length;
  const withNote = cases.filter((one) => !cannotWork(one) && notesOf(one).length > 0).length;
  const totals =
    `**${cases.length} packages: ${cases.length - cannot - withNote} work, ${withNote} work with a note, ` +
    `${cannot} cannot work.**`;
  const sections = categories.map(({ title, cases }) =>
    [
      `## ${title}`,
      "",
      "| package | version | what the handler does | |",
      "|---|---|---|---|",
      ...cases.map(row),
    ].join("\n")
  );
  return [totals, ...sections].join("\n\n");
}

function row(one: PackageCase): string {
  const services = (one.services ?? []).map((name) => SERVICE_TITLES[name]);
  const does = services.length > 0 ? `${one.does}; against ${services.join(" and ")}` : one.does;
  return `| \`${one.package}\` | ${versionOf(one)} | ${does} | ${outcome(one)} |`;
}

function outcome(one: PackageCase): string {
  if (cannotWork(one)) {
    return `**cannot work**: ${one.reason}. Instead: ${one.instead}`;
  }
  return ["works", ...notesOf(one)].join("; ");
}

/** What a user has to know. */
function notesOf({ memoryMb, note }: WorkingPackage): string[] {
  return [
    ...(memoryMb === undefined ? [] : [`needs \`memoryMb: ${memoryMb}\``]),
    ...(note === undefined ? [] : [note]),
  ];
}
