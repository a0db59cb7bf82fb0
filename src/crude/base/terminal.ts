// Reads from and draws on the terminal: hidden prompts, questions and progress. Without a terminal nothing is asked.

import type { ReadStream, WriteStream } from "node:tty";
import { wrongUsage } from "./errors.ts";

/** To the first column, and erase the line (ECMA-48). */
const ERASE_LINE = "\r\x1b[K";
const UPDATE_INTERVAL_MS = 100;
const INPUT_MAX_BYTES = 64 * 1024 * 1024;

/** The exit code of a program that an interrupt ended. */
export const INTERRUPTED = 130;

export interface Terminal {
  /** Whether a user can be asked: standard input and standard error are a terminal. */
  readonly isInteractive: boolean;
  readonly isInputTerminal: boolean;
  /** Reads standard input to its end. */
  readInput(): Promise<Uint8Array>;
  /** Asks for a line that is not shown. @throws CrudeError (usage) without a terminal */
  askHidden(question: string): Promise<string>;
  /** Asks for yes or no; no is the default. @throws CrudeError (usage) without a terminal, naming `--yes` */
  confirm(question: string): Promise<boolean>;
  /** Shows a line while the command waits. */
  show(line: string): void;
  /** Draws how far something is; nothing without a terminal. Drawn until `done` is `total`. */
  progress(label: string, done: number, total: number, unit?: "bytes"): void;
  /** Shows what is waited for while `work` runs; nothing without a terminal. */
  waiting<T>(label: string, work: () => Promise<T>): Promise<T>;
}

export interface Streams {
  readonly stdin: ReadStream;
  readonly stderr: WriteStream;
  /** Ends the program at once. */
  readonly exit: (code: number) => void;
}

/** Longer than 80 lines: questions and the progress line share the terminal. */
export function createTerminal({ stdin, stderr, exit }: Streams, json: boolean): Terminal {
  const isInputTerminal = stdin.isTTY === true;
  const isInteractive = isInputTerminal && stderr.isTTY === true;
  const isDrawn = !json && stderr.isTTY === true;
  let drawnAt: number | undefined;
  const draw = (line: string): void => {
    if (isDrawn) stderr.write(ERASE_LINE + line.slice(0, (stderr.columns ?? 80) - 1));
  };

  const ask = (question: string, hidden: boolean): Promise<string> =>
    new Promise((resolve) => {
      let typed = "";
      stdin.setRawMode(true);
      stdin.setEncoding("utf8");
      // Not before: the terminal itself would show what is typed until then.
      stderr.write(question);
      const end = (): void => {
        stdin.off("data", onData);
        stdin.setRawMode(false);
        stdin.pause();
        stderr.write("\n");
      };
      const onData = (text: string): void => {
        for (const character of text) {
          if (character === "\r" || character === "\n" || character === "\x04") {
            end();
            return resolve(typed);
          }
          if (character === "\x03") {
            end();
            return exit(INTERRUPTED);
          }
          if (character === "\x7f" || character === "\b") {
            if (!hidden && typed !== "") stderr.write("\b \b");
            typed = [...typed].slice(0, -1).join("");
          } else if (character >= " " || character === "\t") {
            typed += character;
            if (!hidden) stderr.write(character);
          }
        }
      };
      stdin.on("data", onData);
      stdin.resume();
    });

  return {
    isInteractive,
    isInputTerminal,
    async readInput() {
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of stdin as AsyncIterable<Uint8Array>) {
        size += chunk.length;
        if (size > INPUT_MAX_BYTES) throw wrongUsage("Standard input is too long.");
        chunks.push(chunk);
      }
      return concat(chunks);
    },
    async askHidden(question) {
      if (!isInteractive) throw wrongUsage(`There is no terminal to ask on: ${question}`);
      return await ask(`${question}: `, true);
    },
    async confirm(question) {
      if (!isInteractive) throw wrongUsage("There is no terminal to ask on; add --yes to confirm.");
      return /^y(?:es)?$/i.test((await ask(`${question} [y/N] `, false)).trim());
    },
    show: (line) => void stderr.write(`${line}\n`),
    progress(label, done, total, unit) {
      const now = performance.now();
      if (done >= total) {
        draw("");
        drawnAt = undefined;
      } else if (drawnAt === undefined || now - drawnAt >= UPDATE_INTERVAL_MS) {
        const shown = unit === "bytes" ? `${megabytes(done)} of ${megabytes(total)} MB` : `${done} of ${total}`;
        draw(`${label} ${Math.floor((done / total) * 100)}% (${shown})`);
        drawnAt = now;
      }
    },
    async waiting(label, work) {
      draw(`${label}…`);
      try {
        return await work();
      } finally {
        draw("");
      }
    },
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
