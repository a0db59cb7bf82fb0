// Writes the help: the list of commands, the list of one group, and one command with its options.

import type { Command, Option, Options } from "./base/command.ts";

const AFTER = [
  "CRUDE_URL and CRUDE_KEY choose the server and its key without a profile, for scripts.",
  '"crude COMMAND --help" describes a command.',
  "",
  "Exit codes: 0 done, 1 could not be done, 2 wrong usage, 3 unreachable, 4 not allowed.",
];

/** Returns a command's words with its positionals, such as "secrets set NAME". */
export function call({ name, positionals = [] }: Command): string {
  return [name, ...positionals.map(({ name, optional }) => optional ? `[${name}]` : name)].join(" ");
}

export function overview(commands: readonly Command[], common: Options): string {
  return ["crude COMMAND [options]", "", ...commandLines(commands), "", ...optionLines(common), "", ...AFTER].join(
    "\n",
  );
}

/** The commands that begin with one word. */
export function groupHelp(word: string, commands: readonly Command[]): string {
  return [`crude ${word} COMMAND [options]`, "", ...commandLines(commands)].join("\n");
}

export function usage(command: Command, common: Options): string {
  return [
    `crude ${call(command)} [options]`,
    "",
    ...command.help,
    "",
    ...optionLines({ ...command.options, ...common }),
  ].join("\n");
}

function commandLines(commands: readonly Command[]): string[] {
  const width = Math.max(...commands.map((command) => call(command).length));
  return commands.map((command) => `  ${call(command).padEnd(width)}  ${command.help[0]}`);
}

function optionLines(options: Options): string[] {
  const shown = (name: string, { short, value }: Option) =>
    `${short ? `-${short}, ` : "    "}--${name}${value ? ` ${value}` : ""}`;
  const entries = Object.entries(options);
  const width = Math.max(...entries.map(([name, option]) => shown(name, option).length));
  return entries.map(([name, option]) => `  ${shown(name, option).padEnd(width)}  ${option.help}`);
}
