// Reads and writes files of secrets: `.env`, JSON and YAML. Problems are named by line and have nothing of a value.

import { Buffer } from "node:buffer";
import { BASE64_MARK, commentIn, parseEnvFile, VERBATIM_MARK } from "../../env_file.ts";
import type { FileEntry, SecretFile } from "./file_entries.ts";
import { readJson, readYaml } from "./structured_files.ts";

export const FILE_FORMATS = ["env", "json", "yaml"] as const;
export type FileFormat = (typeof FILE_FORMATS)[number];

/** Parses a file. Names and values are not checked against the rules of secrets. */
export async function parseSecretFile(format: FileFormat, content: string): Promise<SecretFile> {
  if (format === "env") {
    const { variables, problems } = parseEnvFile(content);
    return { entries: variables, problems };
  }
  try {
    return format === "json" ? readJson(content) : await readYaml(content);
  } catch (error) {
    // The parsers are recursive: deep nesting, which no file of secrets has, overflows the stack.
    if (!(error instanceof RangeError)) throw error;
    return { entries: [], problems: [{ line: 1, problem: "is nested too deeply" }] };
  }
}

/** What is written of a secret. */
export type WrittenSecret = Omit<FileEntry, "line">;

/** A secret whose value cannot be read, and why. */
export interface UnreadableSecret {
  readonly name: string;
  readonly reason: string;
}

/**
 * Writes a file from which `parseSecretFile` reads the same secrets. Line breaks of comments become line feeds in
 * `.env`. Secrets that cannot be read are named in comments, except in JSON, which has none.
 */
export function formatSecretFile(
  format: FileFormat,
  secrets: readonly WrittenSecret[],
  unreadable: readonly UnreadableSecret[] = [],
): string {
  const missing = unreadable.map(({ name, reason }) => `# Not exported: ${name}. ${lines(reason).join(" ")}\n`).join(
    "",
  );
  const lead = missing === "" ? "" : `${missing}\n`;
  switch (format) {
    case "env":
      return lead + secrets.map(envLines).join("");
    case "json":
      return secrets.length === 0 ? "{}\n" : `{\n${secrets.map((one) => `  ${jsonMember(one)}`).join(",\n")}\n}\n`;
    case "yaml":
      return lead + (secrets.length === 0 ? "{}\n" : secrets.map(yamlLines).join(""));
  }
}

/** What every shell and parser reads as it is. */
const PLAIN = /^[a-zA-Z0-9_./:@%+,-][a-zA-Z0-9_./:@%+,=-]*$/;

function envLines({ name, value, comment }: WrittenSecret): string {
  const said = comment === "" ? "" : lines(comment).map((line) => `${commentLine(line)}\n`).join("");
  const quoted = quote(value);
  if (quoted !== undefined) return `${said}${name}=${quoted}\n`;
  return `${said}${BASE64_MARK}${name}=${Buffer.from(value).toString("base64")}\n`;
}

/**
 * Returns a value in a form that common parsers (of dotenv, Node, Deno and Docker Compose) read alike; undefined if there
 * is none. In single quotes, `$` and backslashes have no meaning to any of them, except for a backslash at the end; in
 * double quotes they do. A carriage return is a line break to some.
 */
function quote(value: string): string | undefined {
  if (PLAIN.test(value)) return value;
  // deno-lint-ignore no-control-regex
  if (/[\0-\x08\x0b-\x1f\x7f\ufeff]/.test(value)) return undefined;
  if (!value.includes("'")) return value.endsWith("\\") ? undefined : `'${value}'`;
  return /["\\$`]/.test(value) ? undefined : `"${value}"`;
}

/** Parsers end a comment at any of these. */
function lines(text: string): string[] {
  return text.split(/\r\n|[\n\r\u2028\u2029]/);
}

function commentLine(line: string): string {
  const plain = line === "" ? "#" : `# ${line}`;
  const isRead = !plain.startsWith(BASE64_MARK) && line.trimEnd() === line && commentIn(plain) === line;
  return isRead ? plain : VERBATIM_MARK + line;
}

function jsonMember({ name, value, comment }: WrittenSecret): string {
  const said = comment === "" ? value : { value, comment };
  return `${JSON.stringify(name)}: ${JSON.stringify(said)}`;
}

/** Names that YAML 1.1 or 1.2 reads as text without quotes, in any version. */
const YAML_NAME = /^(?!(?:y|n|yes|no|on|off|true|false|null)$)[a-z_][a-z0-9_-]*$/i;

function yamlLines({ name, value, comment }: WrittenSecret): string {
  const key = YAML_NAME.test(name) ? name : yamlText(name);
  if (comment === "") return `${key}: ${yamlText(value)}\n`;
  return `${key}:\n  value: ${yamlText(value)}\n  comment: ${yamlText(comment)}\n`;
}

/** JSON's texts are texts of YAML, too; what YAML does not count as printable is escaped. */
function yamlText(text: string): string {
  return JSON.stringify(text).replace(
    /[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
