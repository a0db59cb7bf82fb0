// Reads the Dockerfile: its stages, what each one does, and what the last one says about running it.

/** One instruction, such as `RUN`, with the text behind it; lines that continue are joined. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
  /** Its line in the file, from 1. */
  readonly line: number;
}

export interface Stage {
  /** The image that it begins with. */
  readonly from: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly stages: readonly Stage[];
  /** The arguments of an instruction in JSON, such as ENTRYPOINT, of the last stage. */
  list(name: string): string[];
  /** The text of an instruction that the last stage has once. */
  text(name: string): string;
}

/** Returns the stages of a Dockerfile. @throws Error if an instruction stands before the first FROM */
export function parseDockerfile(file: string): Dockerfile {
  const stages: { from: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const instruction of instructionsOf(file)) {
    if (instruction.name === "FROM") {
      const [from, , name] = instruction.text.split(/\s+/);
      stages.push({ from: from!, name, instructions: [] });
      continue;
    }
    const stage = stages.at(-1);
    if (!stage) throw new Error(`line ${instruction.line}: ${instruction.name} before FROM`);
    stage.instructions.push(instruction);
  }
  const text = (name: string): string => {
    const found = stages.at(-1)!.instructions.filter((one) => one.name === name);
    if (found.length !== 1) throw new Error(`the last stage has ${found.length} instructions ${name}`);
    return found[0]!.text;
  };
  return { stages, text, list: (name) => JSON.parse(/\[.*\]$/s.exec(text(name))![0]) };
}

function instructionsOf(file: string): Instruction[] {
  const found: Instruction[] = [];
  let joined = "";
  for (const [index, line] of file.split("\n").entries()) {
    if (/^\s*(#|$)/.test(line)) continue;
    joined += line.replace(/\\$/, "");
    if (line.endsWith("\\")) continue;
    const [, name, text] = /^\s*(\w+)\s+(.*)$/s.exec(joined)!;
    found.push({ name: name!, text: text!.trim(), line: index + 1 });
    joined = "";
  }
  return found;
}

/** Returns the variables of `ENV A=1 B=2`. */
export function variablesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(/\s+/).map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
