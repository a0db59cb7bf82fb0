// Checks the code of a deployment before it is deployed: in a copy of the code folder as it would be, which no call
// runs from.

import { randomUUID } from "node:crypto";
import { dirname, join, relative, sep } from "node:path";
import type { RegisteredFunction } from "../../core/functions/registry.ts";
import type { PackageLockStore } from "../../store/package_locks.ts";
import { type Blobs, eachOf } from "../../store/blobs.ts";
import { notFound } from "../../errors.ts";
import type { LoadChecker } from "../checks/load_check.ts";
import { createPreflight, type Preflight, type PreflightOptions } from "../checks/preflight.ts";
import type { TypeCheck } from "../checks/type_check.ts";
import { createAssets } from "../files/assets.ts";
import type { FileInfo, Files } from "../files/files.ts";
import { CodeFolder } from "../files/code_folder.ts";
import type { Imports, ImportsOfCopy } from "../modules/imports.ts";
import { createPackageLocks, type PackageLocks } from "../packages/package_locks.ts";
import type { Tree } from "../versions/tree.ts";
import { type DeploymentFindings, type DeploymentProblem, problemOf } from "./problems.ts";
import type { SecretCheck, SourceFile } from "./secret_check.ts";

export interface StagingOptions {
  /** Absolute; builders may read it. Copies are made in it. */
  readonly folder: string;
  readonly blobs: Blobs;
  readonly imports: Imports;
  readonly lockStore: PackageLockStore;
  readonly locks: PackageLocks;
  readonly loads: LoadChecker;
  readonly limits: PreflightOptions["limits"];
  readonly checkSecrets: SecretCheck;
  /** Returns a check of types for the files of a copy; one copy is checked at a time. */
  readonly typeCheckOf: (codeDir: string, files: Pick<Files, "read">) => TypeCheck;
}

/** What was found of handlers, to be used once their code is in place. */
export interface StagedCode extends AsyncDisposable {
  /** Checks a function that the copy would run; with `types`, also the types of its handler and of what it imports. */
  check(entry: RegisteredFunction, types: boolean): Promise<DeploymentFindings>;
  /** Stores the versions of packages that were found; called within the transaction of the deployment. */
  storeLocks(): void;
  /**
   * Makes what was found of handlers current, so that their next call need not find it again; called when the files are
   * in place. `found` is called for each handler with its problems.
   */
  install(found: (handler: string, version: number, problems: readonly string[]) => void): void;
}

/** Times of files advance every few milliseconds; files that were just written would be read again. */
const SETTLE_MS = 20;

export async function stageCode(tree: Tree, options: StagingOptions): Promise<StagedCode> {
  const { folder, blobs, imports, lockStore, locks } = options;
  const root = join(folder, `staged-${randomUUID()}`);
  const codeDir = join(root, "code");
  await Deno.mkdir(codeDir, { recursive: true, mode: 0o700 });
  try {
    const folders = new Set([...tree.keys()].map((path) => dirname(join(codeDir, path))));
    for (const one of folders) await Deno.mkdir(one, { recursive: true });
    await eachOf([...tree], async ([path, { sha256 }]) => {
      await blobs.place(sha256, join(codeDir, path)).catch(ignoreMissing);
    });
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    const written = new LocksOfCopy(lockStore);
    const copied = imports.ofCopy(
      codeDir,
      createPackageLocks({ store: written, commit: (work) => Promise.resolve(work()) }),
    );
    return new Copy(root, codeDir, copied, () => written.storeIn(locks), options);
  } catch (error) {
    await Deno.remove(root, { recursive: true });
    throw error;
  }
}

class Copy implements StagedCode {
  readonly #root: string;
  readonly #codeDir: string;
  readonly #imports: ImportsOfCopy;
  readonly #folder: CodeFolder;
  readonly #preflight: Preflight;
  readonly #checkSecrets: SecretCheck;
  readonly #types: TypeCheck;
  readonly #problems = new Map<string, string[]>();
  readonly storeLocks: () => void;

  constructor(
    root: string,
    codeDir: string,
    imports: ImportsOfCopy,
    storeLocks: () => void,
    { loads, limits, checkSecrets, typeCheckOf }: StagingOptions,
  ) {
    this.#root = root;
    this.#codeDir = codeDir;
    this.#imports = imports;
    this.storeLocks = storeLocks;
    this.#checkSecrets = checkSecrets;
    this.#types = typeCheckOf(codeDir, { read: (path) => readFileOf(codeDir, path) });
    this.#folder = new CodeFolder({ codeDir, dataDir: root, warn() {} });
    this.#preflight = createPreflight({
      imports,
      assets: createAssets(codeDir, this.#folder),
      loads: { check: (code) => loads.check(code, codeDir) },
      registry: {
        handledBy: () => [],
        get() {
          throw new Error("a copy has no functions");
        },
      },
      conditions: { found() {} },
      limits,
    });
  }

  async check(entry: RegisteredFunction, types: boolean): Promise<DeploymentFindings> {
    const { name, handler } = entry;
    const of = (kind: "import" | "load") => (message: string) => problemOf(kind, name, handler, message);
    if (!isFile(join(this.#codeDir, handler))) {
      return {
        problems: [of("load")(`There is no file ${handler}, which is the handler of "${name}".`)],
        warnings: [],
      };
    }
    const found = await this.#imports.prepare(handler);
    const graph = await this.#imports.graph(handler);
    const secrets = this.#checkSecrets(entry, await this.#modulesOf(graph.files));
    const imported = { problems: found.problems.map(of("import")), warnings: found.warnings.map(of("import")) };
    // Loading would fail for the same reasons.
    const loaded = found.problems.length > 0
      ? { problems: [], warnings: [] }
      : await this.#preflight.trial(graph, entry);
    const typed = types && found.problems.length === 0 ? await this.#typeProblems(entry) : [];
    this.#problems.set(handler, [...found.problems, ...loaded.problems]);
    return {
      problems: [...imported.problems, ...loaded.problems.map(of("load")), ...typed, ...secrets.problems],
      warnings: [...imported.warnings, ...loaded.warnings.map(of("load")), ...secrets.warnings],
    };
  }

  install(found: (handler: string, version: number, problems: readonly string[]) => void): void {
    const versions = this.#imports.install([...this.#problems.keys()]);
    for (const [handler, version] of versions) found(handler, version, this.#problems.get(handler)!);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    void this.#folder.close();
    await Deno.remove(this.#root, { recursive: true });
  }

  async #typeProblems({ name, handler }: RegisteredFunction): Promise<DeploymentProblem[]> {
    const content = await Deno.readTextFile(join(this.#codeDir, handler));
    const found = await this.#types.check({ path: handler, content, isHandler: true });
    return found.map(({ path, line, message }) => ({ kind: "type", function: name, file: path, line, message }));
  }

  async #modulesOf(files: readonly string[]): Promise<SourceFile[]> {
    return await Promise.all(files.map(async (file) => ({
      path: relative(this.#codeDir, file).split(sep).join("/"),
      text: await Deno.readTextFile(file).catch(() => ""),
    })));
  }
}

/** Reads the stored locks, and keeps what is written until the deployment stores it. */
class LocksOfCopy implements PackageLockStore {
  readonly #store: PackageLockStore;
  readonly #written = new Map<string, string>();

  constructor(store: PackageLockStore) {
    this.#store = store;
  }

  find(handler: string): string | undefined {
    return this.#written.get(handler) ?? this.#store.find(handler);
  }

  put(handler: string, lock: string): void {
    this.#written.set(handler, lock);
  }

  discardAltered(): void {}

  remove(handler: string): void {
    this.#written.delete(handler);
  }

  handlers(): string[] {
    return [...new Set([...this.#store.handlers(), ...this.#written.keys()])].sort();
  }

  /** Stores the locks of handlers; `put` adds new versions to the lock for new imports, which has no handler. */
  storeIn(locks: PackageLocks): void {
    for (const [handler, lock] of this.#written) if (handler !== "") locks.put(handler, lock);
  }
}

async function readFileOf(
  codeDir: string,
  path: string,
): Promise<{ info: FileInfo; content: Uint8Array<ArrayBuffer> }> {
  const content = await Deno.readFile(join(codeDir, path)).catch(ignoreMissing);
  if (!content) throw notFound("file", path);
  return { info: { path, sizeBytes: content.length, modifiedAt: new Date(0) }, content };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}
