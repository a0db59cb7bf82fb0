// Creates the folder of a sandbox process, with its socket until it has connected, and a copy of its code.

import { createHash, randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { reexportFix } from "./reexports.ts";

/** sun_path holds 108 bytes with its NUL (unix(7)). */
const SOCKET_PATH_MAX_LENGTH = 107;

/**
 * The texts of two files for Deno. Without a separate import map, it would use the imports of a `deno.json` next to a
 * module even with another config file.
 */
export interface CodeConfig {
  readonly config: string;
  readonly importMap: string;
}

/** Reads a content of a file that is kept elsewhere; undefined if it is gone. */
export type KeptContent = () => Promise<Uint8Array | undefined>;

export interface SandboxFolder {
  readonly path: string;
  /** Where Deno may store its transpiled modules. */
  readonly transpiled: string;
  readonly socket: string;
  /** The folder that contains only the copies. */
  readonly code: string;
  /** The path of the lock file, if there is one. */
  readonly lockFile: string | undefined;
  /** The paths of the config files, if there are any. */
  readonly configFiles: CodeConfig | undefined;
  /** Accepts the only connection. */
  readonly listener: Deno.UnixListener;
  /** Closes and removes the socket with its folder: no other process can connect, or use a permission for its path. */
  closeSocket(): void;
  /**
   * Copies `files`, the handler first, all of them from below the code folder. Returns the `file:` URL of the copied
   * handler. The copies do not change if the originals are edited. A file with one of `sources`, in the same order, gets
   * the content of that, so that a change of the folder meanwhile has no effect. Called once.
   */
  installCode(files: readonly string[], sources?: readonly (KeptContent | undefined)[]): Promise<string>;
  /** Removes the folder, even while files are being copied. */
  remove(): Promise<void>;
  /** Replaces the paths of the copies in `text` by the paths in the code folder, which the author knows. */
  toAuthorPaths(text: string): string;
}

/** The folder that contains all of a server's sandbox folders. */
export interface RunFolder {
  readonly path: string;
  remove(): void;
}

/**
 * Makes the folder for a server whose data is in `dataDir`, and removes what a killed server left there. Sandboxes with
 * separate users may enter it, but not list it.
 */
export function makeRunFolder(dataDir: string, denoDir: string): RunFolder {
  const name = `crude-functions-${createHash("sha256").update(dataDir).digest("hex").slice(0, 16)}`;
  let path = join(tmpdir(), name);
  try {
    removeIfThere(path);
    Deno.mkdirSync(path, { mode: 0o711 });
  } catch {
    // Another user has a folder of that name.
    path = Deno.makeTempDirSync({ prefix: "crude-functions-" });
    Deno.chmodSync(path, 0o711);
  }
  const remove = (): void => {
    removeIfThere(path);
    removeIfThere(join(denoDir, "gen", "file", path));
  };
  return { path, remove };
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path, { recursive: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Makes a folder below `runDir` for code from below `codeDir`, with these files. With `uid`, only that user may read it
 * and connect. Deno stores transpiled modules in `denoDir`, which is shared: the process gets a separate folder there.
 */
export function makeSandboxFolder(
  { runDir, codeDir, denoDir }: { runDir: string; codeDir: string; denoDir: string },
  { lock, config }: { lock: string | undefined; config: CodeConfig | undefined },
  uid: number | undefined,
): SandboxFolder {
  const folder = join(runDir, randomUUID());
  const copies = join(folder, "code");
  const transpiled = join(denoDir, "gen", "file", folder);
  const removeAll = (): void => {
    removeIfThere(folder);
    removeIfThere(transpiled);
  };
  try {
    makeFolder(folder, uid);
    makeFolder(copies, uid);
    Deno.mkdirSync(transpiled, { recursive: true });
    Deno.chmodSync(transpiled, 0o700);
    // Without permission to write there, Deno would retry for 150 ms.
    if (uid !== undefined) Deno.chownSync(transpiled, uid, uid);
    const write = (name: string, text: string): string => {
      const path = join(folder, name);
      writeFile(path, new TextEncoder().encode(text), uid);
      return path;
    };
    const lockFile = lock === undefined ? undefined : write("imports.lock", lock);
    const configFiles = config && {
      config: write("config.json", config.config),
      importMap: write("imports.json", config.importMap),
    };
    const { socket, listener, close } = openSocket(join(folder, "socket"), uid);
    const address = pathToFileURL(copies).href + "/";
    const copying = new AbortController();
    let copied: Promise<string[]> | undefined;
    return {
      path: folder,
      transpiled,
      socket,
      code: copies,
      lockFile,
      configFiles,
      listener,
      closeSocket: close,
      async installCode(files, sources = []) {
        const originals = files.map((file, index) => ({ file, source: sources[index] }));
        copied = copyCode(originals, codeDir, copies, uid, copying.signal);
        return pathToFileURL((await copied)[0]!).href;
      },
      async remove() {
        close();
        copying.abort();
        await copied?.catch(() => {});
        // Asynchronously, as the folder may contain thousands of files.
        for (const path of [folder, transpiled]) await Deno.remove(path, { recursive: true }).catch(ignoreMissing);
      },
      toAuthorPaths: (text) => text.replaceAll(address, "").replaceAll(copies + "/", ""),
    };
  } catch (error) {
    removeAll();
    throw error;
  }
}

/** Makes a folder that `uid` may list. Root remains its owner, so that the sandbox cannot change it. */
function makeFolder(path: string, uid: number | undefined): void {
  Deno.mkdirSync(path, { mode: 0o750 });
  if (uid !== undefined) Deno.chownSync(path, null, uid);
}

interface Original {
  /** Absolute path in the code folder. */
  readonly file: string;
  readonly source: KeptContent | undefined;
}

/** Files that are copied at a time. */
const COPIES_AT_ONCE = 8;

/**
 * Copies `files` from below `codeDir` to below `copies`, a few at a time, so that thousands of them do not delay other
 * work. Returns their new paths. Stops at once when `signal` is aborted.
 */
async function copyCode(
  files: readonly Original[],
  codeDir: string,
  copies: string,
  uid: number | undefined,
  signal: AbortSignal,
): Promise<string[]> {
  const paths = files.map(({ file }) => join(copies, relative(codeDir, file)));
  const all = new Set(paths);
  const made = new Set([copies]);
  for (const path of paths) {
    const missing: string[] = [];
    for (let parent = dirname(path); !made.has(parent); parent = dirname(parent)) missing.unshift(parent);
    for (const parent of missing) {
      signal.throwIfAborted();
      await Deno.mkdir(parent, { mode: 0o750 });
      if (uid !== undefined) await Deno.chown(parent, null, uid);
      made.add(parent);
    }
  }
  let next = 0;
  const copyNext = async (): Promise<void> => {
    while (next < files.length) {
      signal.throwIfAborted();
      const index = next++;
      await copyFile(files[index]!, paths[index]!, all, uid);
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: COPIES_AT_ONCE }, copyNext));
  for (const one of ended) if (one.status === "rejected") throw one.reason;
  return paths;
}

function openSocket(folder: string, uid: number | undefined) {
  const socket = join(folder, "s");
  if (socket.length > SOCKET_PATH_MAX_LENGTH) throw new Error(`the path of a socket would be too long: ${socket}`);
  Deno.mkdirSync(folder, { mode: 0o700 });
  const listener = Deno.listen({ transport: "unix", path: socket });
  if (uid !== undefined) {
    Deno.chownSync(folder, uid, uid);
    Deno.chownSync(socket, uid, uid);
  }
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    listener.close();
    removeIfThere(folder);
  };
  return { socket, listener, close };
}

/** Copies a file. `files` contains the paths of all copies. */
async function copyFile(
  { file, source }: Original,
  to: string,
  files: ReadonlySet<string>,
  uid: number | undefined,
): Promise<void> {
  const kept = await source?.();
  // The file may be missing, which its import will report.
  const content = kept ?? await Deno.readFile(file).catch(ignoreMissing);
  if (!content) return;
  await Deno.writeFile(to, content, { mode: 0o440 });
  const fix = reexportFix(to, content, files);
  if (fix !== "") await Deno.writeTextFile(to, fix, { append: true });
  if (uid !== undefined) await Deno.chown(to, null, uid);
}

function ignoreMissing(error: unknown): undefined {
  if (!(error instanceof Deno.errors.NotFound)) throw error;
}

/** Writes a file that `uid` may read and only root may change. */
function writeFile(path: string, content: Uint8Array, uid: number | undefined): void {
  Deno.writeFileSync(path, content, { mode: 0o440 });
  if (uid !== undefined) Deno.chownSync(path, null, uid);
}
