// Implements `crude deploy` and `diff`: sends the files and functions of a project to the server, or shows what that
// would change.

import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type Client, sinceVersion } from "../base/client.ts";
import type { Command, Context, Given, Options } from "../base/command.ts";
import { CrudeError, messageOf, wrongUsage } from "../base/errors.ts";
import { count, visible } from "../base/text.ts";
import { DEPLOY_TIMEOUT_MS, type DryRun, dryRunResult, warningLines, withProblems } from "../project/deployment.ts";
import { unifiedDiff } from "../project/diff.ts";
import { contentOf, type LocalFile, mapSome, readLocalFiles } from "../project/local_files.ts";
import { deletes, isEmpty, type Plan, planLines } from "../project/plan.ts";

export const PROJECT_FILE = "crude.json";
const UPLOADED_AT_ONCE = 4;
/** What was there may be removed while the rest is uploaded, but not again and again. */
const ATTEMPTS_MAX = 3;
const SHOWN_TEXT_MAX_BYTES = 256 * 1024;

const COMMON: Options = {
  prune: { type: "boolean", help: "also delete files and functions that are not in the project" },
};

const deploy: Command = {
  name: "deploy",
  positionals: [{ name: "DIR", optional: true }],
  options: {
    ...COMMON,
    "dry-run": { type: "boolean", help: "check everything and change nothing" },
    message: { type: "string", short: "m", value: "TEXT", help: "what was changed and why, for the history" },
    types: { type: "boolean", help: "check types as well, which takes some seconds for each function that changes" },
    force: { type: "boolean", help: "deploy in spite of problems that the server finds" },
    "if-version": { type: "string", value: "N", help: "only if the server's code is still this version" },
    yes: { type: "boolean", short: "y", help: "do not ask before deleting" },
  },
  help: [
    "Deploy the files of a folder, and the functions of its crude.json.",
    "All of it is in force at once, or nothing is. Only files that the server does not have are uploaded; .env*, .git,",
    "node_modules, .crude and what .crudeignore lists never are. Files that are not in the folder stay, unless --prune.",
  ],
  async run(context, given) {
    const project = await readProject(context, given);
    const client = await context.connect();
    const message = given.text("message");
    const wanted = {
      ...project.request,
      ...(given.flag("types") && { types: true }),
      ...(given.flag("force") && { force: true }),
      ...(message !== undefined && { message }),
      ...(given.text("if-version") !== undefined && { ifVersion: given.number("if-version", 0) }),
    };
    if (given.flag("dry-run")) return dryRunResult(await dryRun(context, client, project, wanted));
    if (given.flag("prune") && !given.flag("yes")) {
      const { plan } = await dryRun(context, client, project, wanted);
      if (deletes(plan) > 0) await confirmPlan(context, plan);
    }
    const { deployment, warnings } = await send(context, client, project, wanted);
    const { id, version, plan } = deployment as { id: number; version: number; plan: Plan };
    return {
      json: { deployment, ...(warnings && { warnings }) },
      lines: [
        ...planLines(plan),
        ...warningLines(warnings),
        isEmpty(plan) ? "Nothing had to be changed." : `Deployed as ${id}, version ${version} of the code.`,
      ],
    };
  },
};

const diff: Command = {
  name: "diff",
  positionals: [{ name: "DIR", optional: true }],
  options: COMMON,
  help: [
    "Show what deploy would change: which files and functions, and the lines of files that are text.",
    "Files that the server does not have are uploaded for it, but not deployed.",
  ],
  async run(context, given) {
    const project = await readProject(context, given);
    const client = await context.connect();
    const { plan, problems, warnings } = await dryRun(context, client, project, project.request);
    const texts = await mapSome(plan.files.changed, UPLOADED_AT_ONCE, (path) => fileDiff(client, project, path));
    return {
      json: { plan, problems, ...(warnings && { warnings }), diffs: texts.map(({ json }) => json) },
      lines: [...planLines(plan), ...texts.flatMap(({ lines }) => ["", ...lines])],
    };
  },
};

interface Project {
  readonly dir: string;
  readonly files: readonly LocalFile[];
  /** The body of a deployment, without what options add. */
  readonly request: Readonly<Record<string, unknown>>;
}

async function readProject(context: Context, given: Given): Promise<Project> {
  const dir = resolve(context.cwd, given.positionals[0] ?? ".");
  if (!existsSync(dir)) throw wrongUsage(`There is no folder ${dir}.`);
  const functions = functionsOf(join(dir, PROJECT_FILE));
  const { files, skipped } = await readLocalFiles(dir);
  for (const path of skipped) context.note(`${visible(path)} is a link or no file, and is left out.`);
  if (!functions) context.note(`There is no ${PROJECT_FILE}: functions stay as they are.`);
  return {
    dir,
    files,
    request: {
      // A path such as "__proto__" is one like any other.
      files: Object.fromEntries(files.map(({ path, sha256 }) => [path, sha256])),
      ...(functions && { functions }),
      ...(given.flag("prune") && { prune: true }),
    },
  };
}

/** Returns the functions of a crude.json as they are there: the server checks them. @throws CrudeError (usage) */
function functionsOf(path: string): Readonly<Record<string, unknown>> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    const { functions } = JSON.parse(readFileSync(path, "utf8").replace(/^\ufeff/, ""));
    if (typeof functions === "object" && functions !== null) return functions;
  } catch (error) {
    throw wrongUsage(`${path} cannot be read: ${messageOf(error)}`);
  }
  throw wrongUsage(`${path} has no "functions".`);
}

async function dryRun(
  context: Context,
  client: Client,
  project: Project,
  wanted: Readonly<Record<string, unknown>>,
): Promise<DryRun> {
  return await send(context, client, project, { ...wanted, dryRun: true });
}

/** Sends the deployment first, and only then what the server lacks: mostly it has everything. */
async function send(
  context: Context,
  client: Client,
  project: Project,
  wanted: Readonly<Record<string, unknown>>,
  // deno-lint-ignore no-explicit-any
): Promise<any> {
  for (let attempt = 1;; attempt++) {
    try {
      return await sinceVersion(
        "deployments",
        () =>
          context.terminal.waiting(
            "Deploying",
            () => client.post("/api/deployments", wanted, { timeoutMs: DEPLOY_TIMEOUT_MS }),
          ),
      );
    } catch (error) {
      if (!(error instanceof CrudeError)) throw error;
      if (error.code !== "MissingBlobs" || attempt === ATTEMPTS_MAX) throw withProblems(error);
      const { missing } = error.details as { missing: readonly string[] };
      await upload(context, client, project, new Set(missing));
    }
  }
}

async function upload(context: Context, client: Client, { files }: Project, missing: Set<string>): Promise<void> {
  const wanted = files.filter(({ sha256 }) => missing.delete(sha256));
  const totalBytes = wanted.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  context.terminal.progress("Uploading", 0, totalBytes, "bytes");
  await mapSome(wanted, UPLOADED_AT_ONCE, async (file) => {
    const response = await client.request("PUT", `/api/blobs/${file.sha256}`, {
      bytes: await contentOf(file),
      headers: { "Content-Type": "application/octet-stream" },
      timeoutMs: DEPLOY_TIMEOUT_MS,
    });
    await response.body?.cancel();
    doneBytes += file.sizeBytes;
    context.terminal.progress("Uploading", doneBytes, totalBytes, "bytes");
  });
  // Also if all of them are empty.
  context.terminal.progress("Uploading", 1, 1);
}

async function confirmPlan(context: Context, plan: Plan): Promise<void> {
  for (const line of planLines(plan)) context.note(line);
  const files = count(plan.files.deleted.length, "file");
  const functions = count(plan.functions.deleted.length, "function");
  if (await context.terminal.confirm(`Delete ${files} and ${functions}?`)) return;
  throw new CrudeError("Nothing was changed.", { code: "Declined" });
}

/** What differs between a file of the server and the one here; for what is no text, only that it does. */
async function fileDiff(
  client: Client,
  { files }: Project,
  path: string,
): Promise<{ json: { path: string; diff: string | null }; lines: string[] }> {
  const file = files.find((one) => one.path === path)!;
  const [old, current] = [await serverFile(client, path), await contentOf(file)];
  const [before, after] = [asText(old), asText(current)];
  const lines = before === undefined || after === undefined ? undefined : unifiedDiff(path, before, after);
  return {
    json: { path, diff: lines ? `${lines.join("\n")}\n` : null },
    lines: lines?.map(visible) ?? [`${path} differs (no text, or too long to compare)`],
  };
}

/** Returns the content of a file on the server. */
export async function serverFile(client: Client, path: string): Promise<Uint8Array> {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  const response = await client.request("GET", `/api/files/${encoded}`);
  return new Uint8Array(await response.arrayBuffer());
}

function asText(content: Uint8Array): string | undefined {
  if (content.length > SHOWN_TEXT_MAX_BYTES || content.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {
    return undefined;
  }
}

export const deployCommands: readonly Command[] = [deploy, diff];
