// Starts `deno task cli`: finds the command, runs it, prints its result and exits with its exit code.

import { join } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../../deno.json" with { type: "json" };
import { ConfigError, readConfig, readPassphrase } from "../config.ts";
import { preventCoreDumps } from "../core_dumps.ts";
import { AppError, messageOf, SetupError } from "../errors.ts";
import { KeyFileError } from "../keyring/key_file.ts";
import { DataFolderError, FolderInUseError } from "../store/data_folder.ts";
import { auditCommands } from "./audit.ts";
import { adminCommands } from "./admin.ts";
import { clusterCommands } from "./cluster.ts";
import { backupCommand } from "./backup.ts";
import { type Command, type Context, EXIT, type ExitCode, type Option, type Result, UsageError } from "./command.ts";
import { keyringCommands } from "./keyring.ts";
import { keysCommands } from "./keys.ts";
import { leaveCommand } from "./leave_cluster.ts";
import { migrateCommand } from "./migrate_to_cluster.ts";
import { restoreCommand } from "./restore.ts";
import { verifyCommand } from "./verify.ts";
import { withProgress } from "./terminal.ts";

const COMMANDS: readonly Command[] = [
  ...keyringCommands,
  backupCommand,
  restoreCommand,
  verifyCommand,
  ...auditCommands,
  ...keysCommands,
  ...adminCommands,
  ...clusterCommands,
  migrateCommand,
  leaveCommand,
];

const COMMON: Readonly<Record<string, Option>> = {
  json: { type: "boolean", help: "print one JSON object instead of text" },
  help: { type: "boolean", short: "h", help: "print this help and exit" },
};

/** Accepted only without a command. */
const VERSION: Readonly<Record<string, Option>> = {
  version: { type: "boolean", help: "print the program's version and exit" },
};

async function main(args: readonly string[]): Promise<ExitCode> {
  const json = args.includes("--json");
  try {
    const found = find(args);
    const { values, positionals } = parse(found?.command, found?.rest ?? args);
    if (!found && values.version && !values.help) {
      print({ json: { version: manifest.version }, lines: [manifest.version] }, json);
      return EXIT.ok;
    }
    if (values.help || !found) {
      console.log(found ? usage(found.command) : overview());
      return found || values.help ? EXIT.ok : EXIT.usage;
    }
    // Before any passphrase or key is read.
    const dumps = preventCoreDumps();
    if (dumps && !json) console.error(dumps);
    const result = await found.command.run(context(json), { positionals, options: values });
    print(result, json);
    return result.code ?? EXIT.ok;
  } catch (error) {
    const code = exitCodeOf(error);
    if (json) console.log(JSON.stringify({ error: messageOf(error), exitCode: code }, null, 2));
    // One line for what the operator can fix, all details for a bug.
    else console.error(code === EXIT.failed && !isExpected(error) ? error : messageOf(error));
    return code;
  }
}

/** Finds the command that `args` begin with, after options that all commands have. */
function find(args: readonly string[]): { command: Command; rest: string[] } | undefined {
  const start = args.findIndex((arg) => !["--json", "--help", "-h", "--version"].includes(arg));
  if (start === -1) return undefined;
  const words = args.slice(start).join(" ");
  const command = COMMANDS.find(({ name }) => words === name || words.startsWith(`${name} `));
  if (!command) {
    const [first] = args.slice(start) as [string];
    throw new UsageError(`There is no command "${first}". See "deno task cli --help".`);
  }
  return { command, rest: [...args.slice(0, start), ...args.slice(start + command.name.split(" ").length)] };
}

function parse(command: Command | undefined, args: readonly string[]) {
  const expected = command?.positionals ?? [];
  const see = `See "deno task cli ${command ? `${command.name} ` : ""}--help".`;
  try {
    const options = { ...COMMON, ...(command ? command.options : VERSION) };
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    if (!values.help && positionals.length < expected.length) {
      throw new UsageError(`${expected[positionals.length]} is missing.`);
    }
    if (positionals.length > expected.length) {
      throw new UsageError(`"${positionals[expected.length]}" is an unexpected argument.`);
    }
    return { values: values as Record<string, string | boolean | undefined>, positionals };
  } catch (error) {
    throw new UsageError(`${messageOf(error).split(/(?<=\.)\s/)[0]!.replace(/\.?$/, ".")} ${see}`);
  }
}

function context(json: boolean): Context {
  const env = (name: string) => Deno.env.get(name);
  const config = readConfig(env, Deno.cwd());
  return {
    config,
    database: join(config.dataDir, "database.db"),
    keyFile: join(config.dataDir, "encryption-keys.json"),
    cwd: Deno.cwd(),
    newPassphrase: () => readPassphrase("NEW_KEYRING_PASSPHRASE", env, Deno.cwd()),
    now: () => new Date(),
    progress: (label, work) => withProgress(!json && Deno.stderr.isTerminal(), label, work),
    note: (line) => {
      if (!json) console.error(line);
    },
  };
}

function print({ json, lines }: Result, asJson: boolean): void {
  if (asJson) console.log(JSON.stringify(json, null, 2));
  else for (const line of lines) console.log(line);
}

function isExpected(error: unknown): boolean {
  const types = [AppError, ConfigError, DataFolderError, KeyFileError, SetupError, UsageError];
  return types.some((type) => error instanceof type);
}

function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError || error instanceof ConfigError) return EXIT.usage;
  if (error instanceof FolderInUseError) return EXIT.inUse;
  if (error instanceof KeyFileError) return EXIT.keyring;
  return EXIT.failed;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map((command) => call(command).length));
  return [
    "deno task cli <command>",
    "",
    ...COMMANDS.map((command) => `  ${call(command).padEnd(width)}  ${command.help[0]}`),
    "",
    'DATA_DIR selects the data. "deno task cli <command> --help" describes a command,',
    '"deno task cli --version" prints the version of the program.',
  ].join("\n");
}

function usage(command: Command): string {
  const options = Object.entries({ ...command.options, ...COMMON });
  const shown = options.map(([name, { value }]) => `--${name}${value ? ` ${value}` : ""}`);
  const width = Math.max(...shown.map((text) => text.length));
  return [
    `deno task cli ${call(command)} [options]`,
    "",
    ...command.help,
    "",
    ...options.map(([, { help }], index) => `  ${shown[index]!.padEnd(width)}  ${help}`),
  ].join("\n");
}

function call({ name, positionals = [] }: Command): string {
  return [name, ...positionals].join(" ");
}

Deno.exit(await main(Deno.args));
