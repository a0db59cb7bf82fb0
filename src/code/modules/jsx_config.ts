// Reads how `compilerOptions` of a config file compile JSX.

import { at, type ConfigFile, partOf, SENTENCES_MAX } from "./config_file.ts";

/** How JSX in a module is compiled; names as in `compilerOptions`. */
export interface Jsx {
  readonly jsx: "precompile" | "react-jsx" | "react-jsxdev" | "react";
  readonly jsxFactory?: string;
  readonly jsxFragmentFactory?: string;
  /** Prefix of the runtime module, as written in the file; undefined for `hono/jsx`. */
  readonly jsxImportSource?: string;
  readonly jsxImportSourceTypes?: string;
  readonly jsxPrecompileSkipElements?: readonly string[];
}

export const DEFAULT_JSX: Jsx = { jsx: "precompile" };
const JSX_MODES: readonly string[] = ["precompile", "react-jsx", "react-jsxdev", "react"];
/** How JSX is compiled, and sentences about invalid options. */
export interface FoundJsx {
  readonly jsx: Jsx;
  readonly problems: readonly string[];
}

/** Returns the options of a file, without those that are invalid. */
export function jsxOf(file: ConfigFile): FoundJsx {
  const problems: string[] = [];
  const options: Record<string, unknown> = {};
  for (const { key, value, node } of partOf(file, "compilerOptions").entries) {
    if (!key.startsWith("jsx")) continue;
    const isList = key === "jsxPrecompileSkipElements";
    const isRight = isList
      ? Array.isArray(value) && value.every((one) => typeof one === "string")
      : typeof value === "string" && (key !== "jsx" || JSX_MODES.includes(value));
    if (isRight) options[key] = value;
    else if (problems.length < SENTENCES_MAX) {
      const wanted = isList ? "a list of strings" : key === "jsx" ? `one of ${JSX_MODES.join(", ")}` : "a string";
      problems.push(`${at(file, node)}: "${key}" must be ${wanted}.`);
    }
  }
  return { jsx: { ...DEFAULT_JSX, ...options } as Jsx, problems };
}
