// Writes completion scripts for bash, zsh and fish, from the list of commands.

import type { Command, Option, Options } from "./base/command.ts";
import { wrongUsage } from "./base/errors.ts";

export const SHELLS = ["bash", "zsh", "fish"] as const;

export function completionScript(shell: string, commands: readonly Command[], common: Options): string {
  switch (shell) {
    case "bash":
      return bash(commands, common);
    case "zsh":
      // zsh runs completion functions of bash.
      return `#compdef crude\nautoload -Uz bashcompinit && bashcompinit\n${bash(commands, common)}`;
    case "fish":
      return fish(commands, common);
    default:
      throw wrongUsage(`SHELL must be one of ${SHELLS.join(", ")}.`);
  }
}

function flags(options: Options): string[] {
  return Object.entries(options).flatMap(([name, { short }]) => [`--${name}`, ...(short ? [`-${short}`] : [])]);
}

function firstWords(commands: readonly Command[]): string[] {
  return [...new Set(commands.map(({ name }) => name.split(" ")[0]!))];
}

function secondWords(commands: readonly Command[], first: string): string[] {
  return commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name.slice(first.length + 1));
}

/** Values that are complete by themselves, by option. */
function choices(commands: readonly Command[]): [string, Option][] {
  const all = commands.flatMap(({ options = {} }) => Object.entries(options));
  return all.filter(([name, { choices }], index) => choices && all.findIndex(([other]) => other === name) === index);
}

function bash(commands: readonly Command[], common: Options): string {
  const groups = firstWords(commands).filter((first) => secondWords(commands, first).length > 0);
  return `_crude() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  case "$previous" in
${choices(commands).map(([name, { choices }]) => `    --${name}) words="${choices!.join(" ")}" ;;`).join("\n")}
  esac
  if [ -z "$words" ]; then
    if [ "$COMP_CWORD" -eq 1 ]; then
      words="${[...firstWords(commands), ...flags(common)].join(" ")}"
    else
      case "\${COMP_WORDS[1]} \${COMP_WORDS[2]}" in
${
    commands.map(({ name, options = {} }) =>
      `        "${name}"${name.includes(" ") ? "" : '" "*'}) words="${flags({ ...options, ...common }).join(" ")}" ;;`
    ).join("\n")
  }
      esac
      if [ "$COMP_CWORD" -eq 2 ]; then
        case "\${COMP_WORDS[1]}" in
${groups.map((first) => `          ${first}) words="${secondWords(commands, first).join(" ")}" ;;`).join("\n")}
          completion) words="${SHELLS.join(" ")}" ;;
        esac
      fi
    fi
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -F _crude crude
`;
}

function fish(commands: readonly Command[], common: Options): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const option = ([name, { short, choices, value, help }]: [string, Option]) =>
    [
      `-l ${name}`,
      ...(short ? [`-s ${short}`] : []),
      ...(choices ? [`-x -a ${quote(choices.join(" "))}`] : value ? ["-r"] : []),
      `-d ${quote(help)}`,
    ].join(" ");
  const seen = (name: string) =>
    quote(name.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`).join("; and "));
  const lines = commands.flatMap(({ name, options = {}, help }) => {
    const [first, second] = name.split(" ") as [string, string | undefined];
    const siblings = secondWords(commands, first).join(" ");
    const word = second === undefined
      ? `complete -c crude -n __fish_use_subcommand -a ${first} -d ${quote(help[0])}`
      : `complete -c crude -n ${
        quote(`__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${siblings}`)
      } -f -a ${second} -d ${quote(help[0])}`;
    return [word, ...Object.entries(options).map((entry) => `complete -c crude -n ${seen(name)} ${option(entry)}`)];
  });
  const groups = firstWords(commands).filter((first) => secondWords(commands, first).length > 0);
  return [
    ...groups.map((first) => `complete -c crude -n __fish_use_subcommand -f -a ${first}`),
    ...lines,
    ...Object.entries(common).map((entry) => `complete -c crude ${option(entry)}`),
    "",
  ].join("\n");
}
