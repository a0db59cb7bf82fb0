// Implements /api/versions: the history of the code folder.

import { z } from "@hono/zod-openapi";
import { asText } from "../inputs/body.ts";
import type { Version, VersionOfFile } from "../../code/versions/history.ts";
import type { ComparedFile } from "../../code/versions/versions.ts";
import { checkFilePath } from "../../core/functions/file_paths.ts";
import { sha256Of } from "../../sha256.ts";
import { versionOf } from "../../versions.ts";
import type { Api, ApiDeps } from "../services.ts";
import { filePath } from "./files.ts";
import { apiRoute, documented, nothingUndocumented, tag } from "./route.ts";
import { answer, body, errors, idParams, idText, json, query, SUCCESS, successSchema, time } from "../inputs/fields.ts";
import { beforeCursor } from "../inputs/newest_first.ts";
import { changeSchema, messageField, versionSchema, versionsQuery } from "../inputs/version_schemas.ts";

const tags = ["Versions"];
const params = idParams<number>();

const listedSchema = versionSchema.extend({
  files: z.int().optional().openapi({ description: "How many files it changed; not with `path`." }),
  sha256: z.string().nullable().optional().openapi({
    description: "With `path` only: the SHA-256 of the file's content; null if the version deleted the file.",
  }),
  size: z.int().nullable().optional().openapi({ description: "With `path` only: bytes." }),
});

const list = apiRoute({
  method: "get",
  path: "/api/versions",
  operationId: "listVersions",
  tags,
  summary: "List the versions of the code folder",
  description: "Newest first. While `next` is not null, there are more: pass it as `cursor`. Edits on disk that were " +
    "made before the request are recorded first.",
  request: { query: versionsQuery },
  responses: {
    200: answer("A page of versions.", z.object({ versions: z.array(listedSchema), next: z.string().nullable() })),
    ...errors(400),
  },
});

const comparedSchema = z.object({
  path: z.string(),
  change: changeSchema,
  diff: z.string().optional().openapi({
    description: "A unified diff of at most 256 kB; missing if a content is no text, too long, or was purged.",
  }),
});

const get = apiRoute({
  method: "get",
  path: "/api/versions/{id}",
  operationId: "getVersion",
  etag: true,
  tags,
  summary: "Get a version and what it changed",
  request: {
    params,
    query: query({
      against: idText<number>().optional().openapi({
        description: "Id of the version to compare with; by default the one before.",
      }),
    }),
  },
  responses: {
    200: answer("The version.", z.object({ version: versionSchema, files: z.array(comparedSchema) })),
    ...errors(400, 404, 409),
  },
});

const restored = z.object({
  version: z.int().openapi({ description: "The new version." }),
  files: z.array(z.object({ path: z.string(), change: changeSchema })),
});

const restore = apiRoute({
  method: "post",
  path: "/api/versions/{id}/restore",
  operationId: "restoreVersion",
  tags,
  summary: "Make the files of a version the current ones, as a new version",
  description: "Functions, secrets, groups and keys stay as they are. If the code is the same, no version is made.",
  request: { params, body: { ...json(body({ message: messageField })), required: false } },
  responses: { 200: answer("The files are restored.", restored), ...errors(400, 404, 409, 413, 415) },
});

const FILE_IN_VERSION = "/api/versions/:id{[^/]+}/files/:path{[\\s\\S]+}";

export function addVersions(api: Api, { versions }: ApiDeps): void {
  api.openapi(list, async (c) => {
    const { limit, cursor, path } = c.req.valid("query");
    if (path !== undefined) checkFilePath(path, "path");
    const page = path === undefined ? await versions.list(cursor, limit) : await versions.ofFile(path, cursor, limit);
    const next = page.next === undefined ? null : beforeCursor(page.next);
    return c.json({ versions: page.versions.map(listed), next }, 200);
  });

  api.openapi(get, async (c) => {
    const { id } = c.req.valid("param");
    const files = await versions.compare(id, c.req.valid("query").against);
    const answer = { version: shown(versions.get(id)), files: files.map(compared) };
    // A purge changes what is shown of a file.
    tag(c, versionOf(answer));
    return c.json(answer, 200);
  });

  api.openapi(restore, async (c) => {
    const { message } = c.req.valid("json") ?? {};
    const { version, files } = await versions.restore(c.get("actor"), c.req.valid("param").id, message);
    return c.json({ version, files: files.map(({ path, change }) => ({ path, change })) }, 200);
  });

  // Hono's own routes, as paths may contain slashes.
  const none = nothingUndocumented({ body: false, conditional: false });
  describeFileRoutes(api);
  api.get(FILE_IN_VERSION, none, async (c) => {
    const { id, path } = fileParams(c.req.raw.url, c.req.param("id"));
    const content = await versions.file(id, path);
    tag(c, sha256Of(content));
    const isText = asText(content) !== undefined;
    return c.body(content, 200, {
      "Content-Type": isText ? "text/plain; charset=utf-8" : "application/octet-stream",
      "Content-Disposition": "attachment",
    });
  });
  api.delete(FILE_IN_VERSION, none, async (c) => {
    const { id, path } = fileParams(c.req.raw.url, c.req.param("id"));
    await versions.purge(c.get("actor"), id, path);
    return c.json(SUCCESS);
  });
}

function fileParams(url: string, id: string): { id: number; path: string } {
  // The part after `/files/`, as `filePath` returns the part after `/api/files/`.
  const path = filePath(url.replace(/\/versions\/[^/]*\//, "/"));
  checkFilePath(path, "path");
  return { id: params.parse({ id }).id, path };
}

export function shown({ id, at, author, cause, message, tree }: Version): z.infer<typeof versionSchema> {
  return { id, at: time(at), actor: author, cause, message, tree };
}

function listed(version: (Version & { files: number }) | VersionOfFile): z.infer<typeof listedSchema> {
  if ("files" in version) return { ...shown(version), files: version.files };
  return { ...shown(version), sha256: version.file?.sha256 ?? null, size: version.file?.sizeBytes ?? null };
}

function compared({ path, change, diff }: ComparedFile): z.infer<typeof comparedSchema> {
  return diff === undefined ? { path, change } : { path, change, diff };
}

/** Documents the routes in /api/openapi.json. */
function describeFileRoutes({ openAPIRegistry: registry }: Api): void {
  const path = "/api/versions/{id}/files/{path}";
  const request = {
    params: params.extend({
      path: z.string().openapi({
        param: { name: "path", in: "path" },
        description: "URL-encoded.",
        example: "lib/a.ts",
      }),
    }),
  };
  const binary = (description: string) => ({ schema: { type: "string" as const, description } });
  registry.registerPath(documented({
    method: "get",
    path,
    operationId: "getVersionFile",
    etag: true,
    tags,
    summary: "Get a file as it was in a version",
    request,
    responses: {
      200: {
        description: "The content.",
        content: {
          "text/plain": binary("Content that is UTF-8 text."),
          "application/octet-stream": binary("Any other content."),
        },
      },
      ...errors(400, 404, 409),
    },
  }));
  registry.registerPath(documented({
    method: "delete",
    path,
    operationId: "purgeVersionFile",
    tags,
    summary: "Remove a content that should never have been stored from the history",
    description:
      "The content that the file had in this version is deleted, in whichever versions it occurs. Versions " +
      "with it cannot be restored any more.",
    request,
    responses: { 200: answer("The content was deleted.", successSchema), ...errors(400, 404, 409) },
  }));
}
