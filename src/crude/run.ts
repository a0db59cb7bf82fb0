// Runs one command line of `crude`: finds the command, reads its options, prints its result or its error.

import { parseArgs } from "node:util";
import { Client } from "./base/client.ts";
import { type Command, type Context, Given, type Options, type Result } from "./base/command.ts";
import { choose } from "./base/connect.ts";
import { CrudeError, EXIT, type ExitCode, messageOf, wrongUsage } from "./base/errors.ts";
import type { Profiles } from "./base/profiles.ts";
import type { Terminal } from "./base/terminal.ts";
import { visible } from "./base/text.ts";
import { callCommands } from "./commands/call.ts";
import { deployCommands } from "./commands/deploy.ts";
import { devCommands } from "./commands/dev.ts";
import { functionCommands } from "./commands/functions.ts";
import { keyCommands } from "./commands/keys.ts";
import { logCommands } from "./commands/logs.ts";
import { projectCommands } from "./commands/project.ts";
import { pullCommands } from "./commands/pull.ts";
import { rollbackCommands } from "./commands/rollback.ts";
import { secretCommands } from "./commands/secrets.ts";
import { signInCommands } from "./commands/sign_in.ts";
import { completionScript, SHELLS } from "./completion.ts";
import { groupHelp, overview, usage } from "./help.ts";

const COMMON: Options = {
  profile: { type: "string", value: "NAME", help: "the server, by the name of its profile" },
  url: { type: "string", value: "URL", help: "the server, by its address" },
  json: { type: "boolean", help: "print one JSON object instead of text" },
  help: { type: "boolean", short: "h", help: "print this help and exit" },
};

const completion: Command = {
  name: "completion",
  positionals: [{ name: "SHELL" }],
  help: [
    `Print what completes commands in ${SHELLS.join(", ")}.`,
    "bash: source <(crude completion bash)",
    "zsh: source <(crude completion zsh)",
    "fish: crude completion fish | source",
  ],
  // deno-lint-ignore require-await
  async run(_context, given) {
    const script = completionScript(given.at(0), COMMANDS, COMMON);
    return { json: { shell: given.at(0), script }, bytes: new TextEncoder().encode(script) };
  },
};

const COMMANDS: readonly Command[] = [
  ...signInCommands,
  ...projectCommands,
  ...devCommands,
  ...deployCommands,
  ...rollbackCommands,
  ...pullCommands,
  ...functionCommands,
  ...secretCommands,
  ...keyCommands,
  ...logCommands,
  ...callCommands,
  completion,
];

/** What the process that runs a command line provides. */
export interface Machine {
  readonly version: string;
  readonly hono: string;
  readonly home?: string;
  readonly deno?: string;
  readonly runProgram: Context["runProgram"];
  readonly cwd: string;
  readonly env: (name: string) => string | undefined;
  readonly createTerminal: (json: boolean) => Terminal;
  readonly profiles: Profiles;
  /** Writes to standard output; resolves once it is written. */
  write(output: string | Uint8Array): Promise<void>;
  /** Prints a line on standard error. */
  warn(line: string): void;
}

/** Runs one command line and returns its exit code. Throws for bugs only, and never without a message. */
export async function run(args: readonly string[], machine: Machine): Promise<ExitCode> {
  const json = isJsonWanted(args);
  try {
    const found = find(args);
    if (!("command" in found)) return await help(found, machine, json);
    const { command, rest } = found;
    const { given, isHelp } = parse(command, rest);
    if (isHelp) {
      await machine.write(`${usage(command, COMMON)}\n`);
      return EXIT.ok;
    }
    const result = await command.run(contextOf(machine, given, json), given);
    if (!result) return EXIT.ok;
    await print(result, machine, json);
    return result.exitCode ?? EXIT.ok;
  } catch (error) {
    return await report(error, machine, json);
  }
}

/** `--json` decides how an error is printed, so it is looked for before anything is parsed. */
function isJsonWanted(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return (end === -1 ? args : args.slice(0, end)).includes("--json");
}

type Found = { command: Command; rest: readonly string[] } | { group?: string; isHelp: boolean; isVersion?: boolean };

/** Finds the command by its words, which come first, or after options that all commands have. */
function find(args: readonly string[]): Found {
  const words: number[] = [];
  for (let at = 0; at < args.length && words.length < 2; at++) {
    const arg = args[at]!;
    if (arg === "--profile" || arg === "--url") at++;
    else if (!arg.startsWith("-")) words.push(at);
    else if (words.length > 0) break;
  }
  const isHelp = args.includes("--help") || args.includes("-h");
  // "crude help secrets set" is "crude secrets set --help".
  if (args[words[0] ?? -1] === "help") return find([...args.filter((_, at) => at !== words[0]), "--help"]);
  if (words.length === 0) return { isHelp, isVersion: args.includes("--version") };
  const [first, second] = words.map((at) => args[at]);
  for (const [name, used] of [[`${first} ${second}`, words], [first, words.slice(0, 1)]] as const) {
    const command = COMMANDS.find((command) => command.name === name);
    if (command) return { command, rest: args.filter((_, at) => !used.includes(at)) };
  }
  if (COMMANDS.some(({ name }) => name.startsWith(`${first} `))) {
    if (second === undefined) return { group: first!, isHelp };
    throw wrongUsage(`There is no command "${first} ${second}". See "crude ${first} --help".`);
  }
  throw wrongUsage(`There is no command "${first}". See "crude --help".`);
}

async function help(
  { group, isHelp, isVersion }: { group?: string; isHelp: boolean; isVersion?: boolean },
  { version, write, warn }: Machine,
  json: boolean,
): Promise<ExitCode> {
  if (isVersion && !isHelp) {
    await write(json ? `${JSON.stringify({ version }, null, 2)}\n` : `${version}\n`);
    return EXIT.ok;
  }
  if (json && !isHelp) throw wrongUsage('The command is missing. See "crude --help".');
  const text = group === undefined
    ? overview(COMMANDS, COMMON)
    : groupHelp(group, COMMANDS.filter(({ name }) => name.startsWith(`${group} `)));
  if (isHelp) await write(`${text}\n`);
  else warn(text);
  return isHelp ? EXIT.ok : EXIT.usage;
}

function parse(command: Command, args: readonly string[]): { given: Given; isHelp: boolean } {
  const expected = command.positionals ?? [];
  const see = `See "crude ${command.name} --help".`;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options: { ...COMMON, ...command.options }, allowPositionals: true });
  } catch (error) {
    throw wrongUsage(`${messageOf(error).split(/(?<=\.)\s/)[0]!.replace(/\.?$/, ".")} ${see}`);
  }
  const { values, positionals } = parsed;
  const isHelp = values["help"] === true;
  const required = expected.filter(({ optional }) => !optional);
  if (!isHelp && positionals.length < required.length) {
    throw wrongUsage(`${required[positionals.length]!.name} is missing. ${see}`);
  }
  if (positionals.length > expected.length) {
    // Not repeated: it may be the value of a secret that was typed in the wrong place.
    const hint = command.name === "secrets set" ? " A value is never taken from an argument." : "";
    throw wrongUsage(`There are too many arguments.${hint} ${see}`);
  }
  return { given: new Given(positionals, values as Given["options"]), isHelp };
}

function contextOf(machine: Machine, given: Given, json: boolean): Context {
  const { version, hono, home, deno, runProgram, cwd, env, profiles } = machine;
  return {
    version,
    hono,
    ...(home !== undefined && { home }),
    ...(deno !== undefined && { deno }),
    runProgram,
    cwd,
    env,
    json,
    profiles,
    terminal: machine.createTerminal(json),
    // deno-lint-ignore require-await
    async connect() {
      const chosen = choose({ profile: given.text("profile"), url: given.text("url"), env, profiles });
      return new Client({ ...chosen, version });
    },
    note(line) {
      if (!json) machine.warn(line);
    },
    write: (part) => machine.write(part),
  };
}

async function print(result: Result, { write }: Machine, json: boolean): Promise<void> {
  if (json) return await write(`${JSON.stringify(result.json, null, 2)}\n`);
  if (result.bytes) return await write(result.bytes);
  const lines = result.lines ?? [];
  if (lines.length > 0) await write(`${lines.join("\n")}\n`);
}

async function report(error: unknown, { write, warn }: Machine, json: boolean): Promise<ExitCode> {
  const known = error instanceof CrudeError ? error : undefined;
  const exitCode = known?.exitCode ?? EXIT.failed;
  if (json) {
    const { code = "InternalError", details } = known ?? {};
    const body = { error: messageOf(error), code, exitCode, ...(details !== undefined && { details }) };
    await write(`${JSON.stringify(body, null, 2)}\n`);
  } // One line for what the user can fix, all details for a bug.
  else if (known) { for (const line of [known.message, ...known.lines]) warn(visible(line)); }
  else warn(error instanceof Error ? error.stack ?? error.message : String(error));
  return exitCode;
}
