// Makes a program believe that this machine lacks programs of util-linux or Perl, by a module that it loads first.

/** The source of a module under which a shell finds no prlimit(1). */
export const WITHOUT_PRLIMIT = `const { Command } = Deno;
Deno.Command = class extends Command {
  constructor(command, options) {
    super(command, command === "/bin/sh" ? { ...options, env: { ...options?.env, PATH: "/nowhere" } } : options);
  }
};
`;

/** The source of a module under which there is no file of these names. */
export function without(...programs: string[]): string {
  return `const { lstat } = Deno;
Deno.lstat = (path) => ${JSON.stringify(programs)}.some((program) => String(path).endsWith("/" + program))
  ? Promise.reject(new Deno.errors.NotFound(String(path)))
  : lstat(path);
`;
}
