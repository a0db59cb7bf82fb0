// Defines the schemas of /api/git-source.

import { z } from "@hono/zod-openapi";
import type { GitSource } from "../../code/git/source.ts";
import { checkFilePath } from "../../core/functions/file_paths.ts";
import { isSecretName } from "../../core/secrets/names.ts";
import { AppError } from "../../errors.ts";
import { body, idSchema, mustBe, text, timeSchema } from "./fields.ts";
import { deploymentProblemSchema } from "./version_schemas.ts";

const URL_MAX_LENGTH = 2_000;
const NAME_MAX_LENGTH = 250;
const INTERVAL_MIN_S = 10;
const INTERVAL_MAX_S = 86_400;
/** What `git check-ref-format` refuses, and what would be a pattern. */
const NO_REF_NAME = /[\p{Cc} ~^:?*[\\]|\.\.|@\{|^[-/.]|[/.]$|\/\/|\.lock$/u;

const urlField = text().max(URL_MAX_LENGTH, `must have at most ${URL_MAX_LENGTH} characters`)
  .superRefine((url, context) => {
    const problem = urlProblem(url);
    if (problem) context.addIssue({ code: "custom", message: problem });
  }).openapi({ description: "Where `git clone` gets it.", example: "https://github.com/acme/functions.git" });

function urlProblem(text: string): string | undefined {
  if (!URL.canParse(text)) return "must be a URL";
  const url = new URL(text);
  if (url.protocol !== "https:") return "must begin with https:";
  if (url.username || url.password) return "must not contain credentials: store the token as a secret";
  if (url.search || url.hash) return "must not have a query or a fragment";
}

const refName = () =>
  text().min(1, "must not be empty").max(NAME_MAX_LENGTH, `must have at most ${NAME_MAX_LENGTH} characters`)
    .refine((name) => !NO_REF_NAME.test(name), "is no name of a branch or tag").optional();

const refField = body({
  branch: refName(),
  tag: refName(),
  commit: text().regex(/^[0-9a-f]{40}$/, "must have 40 hexadecimal digits").optional(),
}).refine((ref) => Object.values(ref).filter((name) => name !== undefined).length === 1, {
  message: "must have exactly one of branch, tag and commit",
}).openapi({ description: "Exactly one of them.", example: { branch: "main" } });

const folderField = text().default("").superRefine((folder, context) => {
  if (folder === "") return;
  try {
    checkFilePath(folder, "folder");
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    context.addIssue({ code: "custom", message: error.details?.folder ?? error.message });
  }
}).openapi({ description: "The folder of the repository that becomes the code folder; all of it by default." });

const secretField = (description: string) =>
  z.string(mustBe("text")).refine(isSecretName, "is no name of a secret").nullable().default(null)
    .openapi({ description });

export const gitSourceInput = body({
  url: urlField,
  ref: refField,
  folder: folderField,
  username: text().regex(/^[\x21-\x39\x3b-\x7e]{1,100}$/, "must be 1 to 100 visible characters without a colon")
    .default("git").openapi({ description: "Sent with the token. Most git servers accept any." }),
  tokenSecret: secretField("Name of the global secret with the token."),
  webhookSecret: secretField("Name of the global secret that webhooks are signed with."),
  intervalSeconds: z.int(mustBe("a whole number")).min(INTERVAL_MIN_S, `must be at least ${INTERVAL_MIN_S}`)
    .max(INTERVAL_MAX_S, `must be at most ${INTERVAL_MAX_S}`).nullable().default(null)
    .openapi({ description: "How often to look for a new commit." }),
}).transform(({ ref, ...rest }): GitSource => {
  const [[kind, name]] = Object.entries(ref).filter(([, name]) => name !== undefined) as [
    [GitSource["kind"], string],
  ];
  return { ...rest, kind, name };
}).openapi("NewGitSource");

const nullableName = z.string().nullable();

export const gitSourceSchema = z.object({
  url: z.string(),
  ref: z.object({
    branch: z.string().optional(),
    tag: z.string().optional(),
    commit: z.string().optional(),
  }),
  folder: z.string(),
  username: z.string(),
  tokenSecret: nullableName,
  webhookSecret: nullableName,
  intervalSeconds: z.int().nullable(),
}).openapi("GitSource");

export const lastSyncSchema = z.object({
  at: timeSchema,
  outcome: z.enum(["deployed", "failed"]),
  commit: z.string().nullable(),
  deploymentId: idSchema.nullable(),
  error: z.string().nullable().openapi({ description: "A sentence, if it failed." }),
  problems: z.array(deploymentProblemSchema),
}).openapi("GitSync");
