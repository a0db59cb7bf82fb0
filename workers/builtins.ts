// Replaces functions of Node's built-in modules, for each way in which a handler can get them: by `require`, as the
// default import, or as a named import.

/** A built-in module's exports. */
// deno-lint-ignore no-explicit-any
export type Exports = Record<string, any>;

export interface Override {
  /** The name without `node:`. */
  readonly module: string;
  /** Returns the replacements by name. Called when the module is first loaded. */
  replace(original: Exports): Exports;
}

interface ResolveContext {
  readonly parentURL?: string;
  readonly conditions: readonly string[];
}
interface Resolved {
  url: string | null;
  shortCircuit?: boolean;
}
type Resolve = (specifier: string, context: ResolveContext) => Resolved;
type Compile = (this: unknown, source: string | undefined, path: string, format: string | undefined) => unknown;
interface NodeModule {
  readonly default: { readonly prototype: { _compile: Compile } };
  registerHooks(hooks: { resolve(specifier: string, context: ResolveContext, next: Resolve): Resolved }): unknown;
  createRequire(from: string): (specifier: string) => Exports;
}

/**
 * Named imports of a built-in module cannot be changed: Deno 2.9.6 fixes them when it creates the module, and its
 * `syncBuiltinESMExports` does nothing. An import of a module with overrides is therefore redirected to a module that
 * exports the same, with the replacements. `require` and the default import return the module's own object, which is
 * changed.
 *
 * Loading `node:module` takes some 10 ms, so call this while the process has nothing else to do.
 */
export async function overrideBuiltins(overrides: readonly Override[]): Promise<void> {
  const { default: Module, registerHooks, createRequire } = await import("node:module") as unknown as NodeModule;
  const require = createRequire("file:///");
  const overridden = new Set(overrides.map(({ module }) => module));
  /** By module: the URL that is imported in its place; empty while the module is being changed. */
  const replacements = new Map<string, string>();

  /** Changes the module, unless that was done before. Returns the URL of its replacement. */
  const replacementOf = (module: string): string => {
    const known = replacements.get(module);
    if (known !== undefined) return known;
    replacements.set(module, "");
    const exports = require(`node:${module}`);
    const replaced = overrides.filter((override) => override.module === module)
      .reduce((all, { replace }) => Object.assign(all, replace(exports)), {} as Exports);
    const address = addressOf(module, Object.keys(replaced));
    for (const [name, replacement] of Object.entries(replaced)) keepSymbols(exports[name], replacement);
    Object.assign(exports, replaced);
    replacements.set(module, address);
    return address;
  };

  registerHooks({
    resolve(specifier, context, next) {
      const isImport = context.conditions.includes("import");
      const module = moduleOf(specifier);
      if (overridden.has(module)) {
        const address = replacementOf(module);
        // The replacement itself imports the original.
        if (isImport && context.parentURL !== address) return { url: address, shortCircuit: true };
      }
      // With null, Deno resolves an import as usual; a `require` would fail.
      return isImport ? { url: null, shortCircuit: true } : next(specifier, context);
    },
  });

  loadRequiredModulesByPath(Module.prototype);

  // The global `process` and `getBuiltinModule` do not call the hooks.
  replacementOf("process");
  const { getBuiltinModule } = process;
  process.getBuiltinModule = ((id: string) => {
    const module = moduleOf(`${id}`);
    if (overridden.has(module)) replacementOf(module);
    return getBuiltinModule(id);
  }) as typeof getBuiltinModule;
}

/**
 * With hooks, Deno 2.9.6 loads an ES module that is required from its source, and then fails to resolve its relative
 * imports. Without a source, it loads the module from its path, as it does without hooks.
 */
function loadRequiredModulesByPath(prototype: { _compile: Compile }): void {
  const { _compile } = prototype;
  prototype._compile = function (source, path, format) {
    return _compile.call(this, format === "module" ? undefined : source, path, format);
  };
}

/** Copies properties that are symbols, such as the result of `util.promisify`. */
function keepSymbols(original: unknown, replacement: unknown): void {
  if (typeof original !== "function" || typeof replacement !== "function") return;
  for (const symbol of Object.getOwnPropertySymbols(original)) {
    // With this one, `node:os` would convert the original's result to a text.
    if (symbol === Symbol.toPrimitive) continue;
    Object.defineProperty(replacement, symbol, Object.getOwnPropertyDescriptor(original, symbol)!);
  }
}

/** Returns `fs` for `fs` and `node:fs`. */
function moduleOf(specifier: string): string {
  return specifier.startsWith("node:") ? specifier.slice(5) : specifier;
}

/** Returns a module that exports what the original does. Its own named exports take precedence over those of `*`. */
function addressOf(module: string, names: readonly string[]): string {
  const source = `export * from "node:${module}";
import original from "node:${module}";
export default original;
export const { ${names.join(", ")} } = original;`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
