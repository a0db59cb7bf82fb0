// A registry of npm packages on loopback for tests: serves the packages that it is given, and all others from the
// registry behind it.

import { createHash } from "node:crypto";
import { join } from "node:path";

export interface TestPackage {
  readonly name: string;
  readonly version: string;
  /** By path in the package, `package.json` too if it says more than name and version. */
  readonly files: Readonly<Record<string, string | { content: string; mode: number } | { link: string }>>;
  readonly manifest?: Record<string, unknown>;
}

export interface NpmRegistry extends AsyncDisposable {
  /** Value of NPM_CONFIG_REGISTRY. */
  readonly url: string;
  /** Adds a package, or replaces its version. */
  publish(packed: TestPackage): Promise<void>;
  /** Lets the tarball of a version be missing from now on. */
  lose(name: string, version: string): void;
  /** Lets requests for a package's files wait until the returned function is called. */
  hold(name: string): () => void;
  /** Paths that were asked for. */
  readonly asked: readonly string[];
}

const UPSTREAM = "https://registry.npmjs.org";

export function startNpmRegistry(): NpmRegistry {
  const published = new Map<string, Map<string, { manifest: Record<string, unknown>; tarball: Uint8Array }>>();
  const asked: string[] = [];
  const held = new Map<string, Promise<void>>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { origin, pathname } = new URL(request.url);
    asked.push(pathname);
    const [, name = "", file] = /^\/mirror\/((?:@[^/]+\/|@[^/]+%2f)?[^/]+)(?:\/-\/(.+)\.tgz)?$/i.exec(pathname) ?? [];
    const versions = published.get(decodeURIComponent(name));
    if (!versions) return await upstream(pathname.replace(/^\/mirror/, ""), origin);
    if (file === undefined) {
      const all = [...versions].map(([version, { manifest, tarball }]) => {
        const dist = {
          tarball: `${origin}/mirror/${name}/-/${version}.tgz`,
          integrity: `sha512-${createHash("sha512").update(tarball).digest("base64")}`,
        };
        return [version, { ...manifest, dist }];
      });
      return Response.json({
        name: decodeURIComponent(name),
        "dist-tags": { latest: [...versions.keys()].at(-1) },
        versions: Object.fromEntries(all),
      });
    }
    await held.get(decodeURIComponent(name));
    const found = versions.get(file);
    return found && found.tarball.length > 0
      ? new Response(found.tarball as Uint8Array<ArrayBuffer>)
      : new Response("gone", { status: 404 });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/mirror/`,
    asked,
    async publish(packed) {
      const manifest = { name: packed.name, version: packed.version, ...packed.manifest };
      const tarball = await pack(packed, manifest);
      const versions = published.get(packed.name) ?? new Map();
      published.set(packed.name, versions.set(packed.version, { manifest, tarball }));
    },
    lose(name, version) {
      const found = published.get(name)!.get(version)!;
      published.get(name)!.set(version, { ...found, tarball: new Uint8Array() });
    },
    hold(name) {
      const { promise, resolve } = Promise.withResolvers<void>();
      held.set(name, promise);
      return resolve;
    },
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function upstream(path: string, origin: string): Promise<Response> {
  const response = await fetch(UPSTREAM + path);
  if (!response.headers.get("content-type")?.includes("json")) return new Response(response.body, response);
  return new Response((await response.text()).replaceAll(UPSTREAM, `${origin}/mirror`), { status: response.status });
}

async function pack({ files }: TestPackage, manifest: Record<string, unknown>): Promise<Uint8Array> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    const all: TestPackage["files"] = { "package.json": JSON.stringify(manifest), ...files };
    for (const [path, file] of Object.entries(all)) {
      const target = join(folder, "package", path);
      await Deno.mkdir(join(target, ".."), { recursive: true });
      if (typeof file === "object" && "link" in file) await Deno.symlink(file.link, target);
      else {
        const { content, mode } = typeof file === "string" ? { content: file, mode: 0o644 } : file;
        await Deno.writeTextFile(target, content);
        await Deno.chmod(target, mode);
      }
    }
    const { stdout } = await new Deno.Command("tar", { args: ["-czf", "-", "-C", folder, "package"] }).output();
    return stdout;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
