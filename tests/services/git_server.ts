// A git server for a test: repositories that `git http-backend` serves over HTTPS, behind a token.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dirname, join } from "node:path";

export const TOKEN = "ghp_0123456789-token-of-the-test";
const BACKEND = "/usr/lib/git-core/git-http-backend";

export interface GitServer extends AsyncDisposable {
  /** Of the repository, such as `https://localhost:40123/code.git`. */
  readonly url: string;
  /** The path of that repository. */
  readonly repository: string;
  /** Of a redirect to another server, which gets what it is sent. */
  readonly redirect: string;
  /** Path of the certificate that its own is signed with. */
  readonly ca: string;
  /** Requests for the repository, and `Authorization` headers that the other server was sent. */
  readonly requests: string[];
  readonly leaked: string[];
  /** Writes files (null deletes one) and commits them; the commit's id. */
  commit(message: string, files: Record<string, string | null>): Promise<string>;
  /** Runs git in the working copy; what it prints. */
  git(...args: string[]): Promise<string>;
  /** Makes the branch of the working copy that of the repository, by force. */
  push(...refs: string[]): Promise<void>;
  /** Holds requests for contents until the function that it returns is called. */
  hold(): () => void;
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd,
    env: {
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_AUTHOR_NAME: "Ada",
      GIT_AUTHOR_EMAIL: "ada@example.com",
      GIT_COMMITTER_NAME: "Bob",
      GIT_COMMITTER_EMAIL: "bob@example.com",
    },
  }).output();
  assert.ok(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout).trim();
}

async function makeCertificates(folder: string): Promise<void> {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
  await run("openssl", [
    ...["req", "-x509", ...key, "-subj", "/CN=Test CA", "-addext", "basicConstraints=critical,CA:TRUE"],
    ...["-keyout", "ca.key", "-out", "ca.pem"],
  ], folder);
  await run("openssl", [
    ...["req", "-x509", ...key, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
    ...["-addext", "basicConstraints=critical,CA:FALSE", "-CA", "ca.pem", "-CAkey", "ca.key"],
    ...["-keyout", "server.key", "-out", "server.pem"],
  ], folder);
}

/** Answers a request by `git http-backend`, a CGI program (RFC 3875). */
async function backend(request: Request, root: string): Promise<Response> {
  const { pathname, search } = new URL(request.url);
  const headers = request.headers;
  const child = new Deno.Command(BACKEND, {
    clearEnv: true,
    env: {
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: headers.get("content-type") ?? "",
      HTTP_CONTENT_ENCODING: headers.get("content-encoding") ?? "",
      GIT_PROTOCOL: headers.get("git-protocol") ?? "",
    },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const sent = (request.body ?? new Blob([]).stream()).pipeTo(child.stdin).catch(() => {});
  const { stdout } = await child.output();
  await sent;
  const answer = Buffer.from(stdout);
  const end = answer.indexOf("\r\n\r\n");
  const fields = answer.subarray(0, end).toString().split("\r\n").map((line) => line.split(": ") as [string, string]);
  const status = fields.find(([name]) => name === "Status")?.[1] ?? "200";
  const shown = fields.filter(([name]) => name !== "Status");
  return new Response(new Uint8Array(answer.subarray(end + 4)), { status: parseInt(status), headers: shown });
}

export async function startGitServer(): Promise<GitServer> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-git-" });
  const work = join(folder, "work");
  const root = join(folder, "served");
  await makeCertificates(folder);
  await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", join(root, "code.git")], folder);
  await run("git", ["init", "--quiet", "--initial-branch=main", work], folder);
  await run("git", ["config", "uploadpack.allowReachableSHA1InWant", "true"], join(root, "code.git"));
  const requests: string[] = [];
  const leaked: string[] = [];
  let held: Promise<void> | undefined;
  const [cert, key] = await Promise.all(
    ["server.pem", "server.key"].map((name) => Deno.readTextFile(join(folder, name))),
  );
  const tls = { hostname: "localhost", port: 0, cert: cert!, key: key!, onListen() {} };
  const other = Deno.serve(tls, (request) => {
    leaked.push(request.headers.get("authorization") ?? "none");
    return new Response("no", { status: 404 });
  });
  const server = Deno.serve(tls, async (request) => {
    const { pathname, search } = new URL(request.url);
    requests.push(`${request.method} ${pathname}`);
    if (pathname.startsWith("/moved.git")) {
      return new Response(null, {
        status: 302,
        headers: { location: `https://localhost:${other.addr.port}${pathname}` },
      });
    }
    if (pathname.startsWith("/old.git")) {
      const location = pathname.replace("old", "code") + search;
      return new Response(null, { status: 301, headers: { location } });
    }
    const [, password] = atob((request.headers.get("authorization") ?? "").slice("Basic ".length)).split(":");
    if (password !== TOKEN) {
      return new Response("Who are you?", { status: 401, headers: { "WWW-Authenticate": 'Basic realm="git"' } });
    }
    if (request.method === "POST") await held;
    return await backend(request, root);
  });
  const base = `https://localhost:${server.addr.port}`;
  const git = (...args: string[]) => run("git", args, work);
  const push = async (...refs: string[]) => {
    await git("push", "--quiet", "--force", join(root, "code.git"), ...(refs.length > 0 ? refs : ["HEAD"]));
  };
  return {
    url: `${base}/code.git`,
    repository: join(root, "code.git"),
    redirect: `${base}/moved.git`,
    ca: join(folder, "ca.pem"),
    requests,
    leaked,
    git,
    push,
    async commit(message, files) {
      for (const [path, content] of Object.entries(files)) {
        const file = join(work, path);
        await Deno.mkdir(dirname(file), { recursive: true });
        if (content === null) await Deno.remove(file);
        else await Deno.writeTextFile(file, content);
      }
      await git("add", "--all", "--force");
      await git("commit", "--quiet", "--allow-empty", "--message", message);
      await push();
      return await git("rev-parse", "HEAD");
    },
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return () => {
        held = undefined;
        resolve();
      };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([server.shutdown(), other.shutdown()]);
      await Deno.remove(folder, { recursive: true });
    },
  };
}
