// Replaces functions of Node's built-in modules, however a handler's code comes to them: by `require`, as the default
// import, or as a named one.

/** A built-in module's exports. */
// deno-lint-ignore no-explicit-any
export type Exports = Record<string, any>;

export interface Override {
  /** Without `node:`. */
  readonly module: string;
  /** Returns the replacements by name; called when the module is first asked for. */
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
 * Named imports of a built-in module cannot be changed: Deno 2.9.6 fixes them when it makes the module, and its
 * `syncBuiltinESMExports` does nothing. So an import of a module with overrides is led to a module that exports the
 * same but the replaced names. `require` and the default import give the module's own object, which is changed.
 *
 * Loading `node:module` takes some 10 ms, so call this while the process has nothing else to do.
 */
export async function overrideBuiltins(overrides: readonly Override[]): Promise<void> {
  const { default: Module, registerHooks, createRequire } = await import("node:module") as unknown as NodeModule;
  const require = createRequire("file:///");
  const overridden = new Set(overrides.map(({ module }) => module));
  /** By module: the address of what is imported instead; empty while the module is being changed. */
  const replacements = new Map<string, string>();

  /** Changes the module if that was not done yet. */
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
      // Then Deno resolves an import as ever; for `require` that would be a failure.
      return isImport ? { url: null, shortCircuit: true } : next(specifier, context);
    },
  });

  loadRequiredModulesByPath(Module.prototype);

  // These two ways ask nobody to resolve.
  replacementOf("process");
  const { getBuiltinModule } = process;
  process.getBuiltinModule = ((id: string) => {
    const module = moduleOf(`${id}`);
    if (overridden.has(module)) replacementOf(module);
    return getBuiltinModule(id);
  }) as typeof getBuiltinModule;
}

/**
 * Where hooks are registered, Deno 2.9.6 loads an ES module that is required from its source, and then fails to resolve
 * its relative imports. Without a source it loads the module from its path, as it does without hooks.
 */
function loadRequiredModulesByPath(prototype: { _compile: Compile }): void {
  const { _compile } = prototype;
  prototype._compile = function (source, path, format) {
    return _compile.call(this, format === "module" ? undefined : source, path, format);
  };
}

/** What `util.promisify` makes of a function is among its properties. */
function keepSymbols(original: unknown, replacement: unknown): void {
  if (typeof original !== "function" || typeof replacement !== "function") return;
  for (const symbol of Object.getOwnPropertySymbols(original)) {
    // By this one, `node:os` makes a text of what the original returns.
    if (symbol === Symbol.toPrimitive) continue;
    Object.defineProperty(replacement, symbol, Object.getOwnPropertyDescriptor(original, symbol)!);
  }
}

/** `fs` of `fs` and `node:fs`. */
function moduleOf(specifier: string): string {
  return specifier.startsWith("node:") ? specifier.slice(5) : specifier;
}

/** A module that exports what the original does; what it exports by name goes before what it passes on. */
function addressOf(module: string, names: readonly string[]): string {
  const source = `export * from "node:${module}";
import original from "node:${module}";
export default original;
export const { ${names.join(", ")} } = original;`;
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
