// Implements /api/files. Its routes are Hono's own, not generated from schemas, because paths may contain slashes and
// bodies may have any type; describeFiles documents them.

import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { Buffer } from "node:buffer";
import { invalid } from "../../errors.ts";
import type { FileInfo } from "../../code/files/files.ts";
import { sha256Of } from "../../sha256.ts";
import type { Api, ApiDeps, ApiEnv } from "../services.ts";
import { asText, FILE_BODY_MAX_BYTES, mediaType, readBody, utf8 } from "../inputs/body.ts";
import { apiRoute, documented, ifMatch, nothingUndocumented, tag } from "./route.ts";
import {
  answer,
  body,
  errors,
  findingsShape,
  json,
  mustBe,
  query,
  SUCCESS,
  successSchema,
  text,
  time,
  timeSchema,
} from "../inputs/fields.ts";

const TAGS = ["Files"];
/** Any path, so that one with a line break is refused with an error that names it. */
const FILE_PATH = "/api/files/:path{[\\s\\S]+}";

const fileSchema = z.object({
  path: z.string(),
  size: z.int().openapi({ description: "Bytes." }),
  modifiedAt: timeSchema,
})
  .openapi("File");

const fileContent = body({
  content: text(),
  encoding: z.enum(["utf-8", "base64"], mustBe('"utf-8" or "base64"')).default("utf-8"),
}).openapi("FileContent");

const fileMove = body({
  from: text().openapi({ description: "Path of the file.", example: "lib/money.ts" }),
  to: text().openapi({ description: "The new path, which must be free.", example: "lib/rates.ts" }),
}).openapi("FileMove");

const movedSchema = fileSchema.extend({
  functions: z.array(z.object({ id: z.int(), name: z.string() })).openapi({
    description: "Functions whose handler is the file; they now have its new path.",
  }),
  importers: z.array(z.string()).openapi({
    description: "Files known to depend on the old path; their imports are not changed.",
  }),
  ...findingsShape,
}).openapi("MovedFile");

const moveRoute = apiRoute({
  method: "post",
  path: "/api/file-moves",
  operationId: "moveFile",
  etag: true,
  conditional: true,
  tags: TAGS,
  summary: "Move a file and update the functions whose handler it is",
  request: { body: json(fileMove) },
  responses: { 200: answer("The file was moved.", movedSchema), ...errors(400, 404, 409, 413, 415) },
});

const deleteQuery = query({
  ifUnused: z.enum(["true", "false"], mustBe('"true" or "false"')).default("false").openapi({
    description: "With `true`, a file that a function or another file needs is not deleted (409).",
  }),
});

export function addFiles(api: Api, { files, fileUses, preflight }: ApiDeps): void {
  describeFiles(api);

  const none = nothingUndocumented({ body: false, conditional: false });
  const conditional = nothingUndocumented({ body: false, conditional: true }, deleteQuery);
  const withBody = nothingUndocumented({ body: true, conditional: true });

  api.get("/api/files", none, async (c) => c.json({ files: (await files.list()).map(shown) }));

  api.get(FILE_PATH, none, async (c) => {
    const { info, content } = await files.read(filePath(c.req.raw.url));
    tag(c, sha256Of(content));
    c.header("Vary", "Accept");
    const decoded = asText(content);
    if (wantsJson(c.req.raw)) {
      const encoding = decoded === undefined ? "base64" : "utf-8";
      return c.json({ ...shown(info), content: decoded ?? Buffer.from(content).toString("base64"), encoding });
    }
    return c.body(content, 200, {
      "Content-Type": decoded === undefined ? "application/octet-stream" : "text/plain; charset=utf-8",
      // Browsers must never open it as a page of this origin.
      "Content-Disposition": "attachment",
    });
  });

  const save = async (c: Context<ApiEnv>, mustBeNew: boolean) => {
    const request = c.req.raw;
    const path = filePath(request.url);
    const content = await contentOf(request);
    const { info, created, version } = await files.write(c.get("actor"), path, content, mustBeNew, ifMatch(c));
    tag(c, sha256Of(content));
    return { created, saved: { ...shown(info), version: version ?? null, ...await preflight.file(path) } };
  };

  api.put(FILE_PATH, withBody, async (c) => {
    const { created, saved } = await save(c, false);
    return c.json(saved, created ? 201 : 200);
  });

  api.post(FILE_PATH, withBody, async (c) => c.json((await save(c, true)).saved, 201));

  api.openapi(moveRoute, async (c) => {
    const { from, to } = c.req.valid("json");
    const { info, sha256, functions, importers } = await fileUses.move(c.get("actor"), from, to, ifMatch(c));
    tag(c, sha256);
    const moved = { functions: [...functions], importers: [...importers] };
    return c.json({ ...shown(info), ...moved, ...await preflight.file(to) }, 200);
  });

  api.delete(FILE_PATH, conditional, async (c) => {
    const { ifUnused } = deleteQuery.parse(c.req.query());
    const path = filePath(c.req.raw.url);
    if (ifUnused === "true") await fileUses.deleteUnused(c.get("actor"), path, ifMatch(c));
    else await files.delete(c.get("actor"), path, ifMatch(c));
    return c.json(SUCCESS);
  });
}

/**
 * Returns the file's path: what follows `/api/files/` in the request line, decoded once. Hono decodes some of its
 * parameters twice, which would turn `%252e` into a dot.
 */
export function filePath(url: string): string {
  const [, path] = /^[^:/?#]+:\/\/[^/?#]*\/[^/?#]*\/[^/?#]*\/([^?#]*)/.exec(url) ?? [];
  try {
    return decodeURIComponent(path ?? "");
  } catch {
    throw invalid("path", "is not valid percent-encoding of UTF-8");
  }
}

/** Returns the content of a request that saves a file: from JSON, from a form's field `file`, or the body itself. */
async function contentOf(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await readBody(request, FILE_BODY_MAX_BYTES);
  switch (mediaType(request)) {
    case "application/json":
      return jsonContent(bytes);
    case "multipart/form-data":
      return await formContent(bytes, request.headers.get("content-type")!);
    default:
      return bytes;
  }
}

function jsonContent(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let json: unknown;
  try {
    json = JSON.parse(utf8(bytes));
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid("body", "is not valid JSON");
    throw error;
  }
  const { content, encoding } = fileContent.parse(json);
  if (encoding === "utf-8") return new TextEncoder().encode(content);
  const decoded = Buffer.from(content, "base64");
  if (decoded.toString("base64") !== content) throw invalid("content", "is not base64 with padding");
  return decoded;
}

async function formContent(bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<Uint8Array<ArrayBuffer>> {
  let form: FormData;
  try {
    form = await new Response(bytes, { headers: { "Content-Type": contentType } }).formData();
  } catch {
    throw invalid("body", "is not a valid multipart form");
  }
  const [file, ...others] = form.getAll("file");
  if (!(file instanceof File) || others.length > 0) throw invalid("file", "must be one file of the form");
  for (const name of form.keys()) if (name !== "file") throw invalid(name, "is not a known field");
  return new Uint8Array(await file.arrayBuffer());
}

function wantsJson(request: Request): boolean {
  const types = (request.headers.get("accept") ?? "").split(",").map((type) =>
    type.split(";")[0]!.trim().toLowerCase()
  );
  return types.includes("application/json");
}

function shown({ path, sizeBytes, modifiedAt }: FileInfo): z.infer<typeof fileSchema> {
  return { path, size: sizeBytes, modifiedAt: time(modifiedAt.getTime()) };
}

const DOCUMENTED_PATH = "/api/files/{path}";
const fileParams = z.object({
  path: z.string().openapi({ description: "Path in the code folder; its slashes may be encoded or plain." }),
});
const savedSchema = fileSchema.extend({
  version: z.int().nullable().openapi({
    description: "The version of the code that has the file; null for a file that is never part of one.",
  }),
  ...findingsShape,
});
const binary = (description: string) => ({ schema: { type: "string" as const, description } });
const saveRequest = {
  params: fileParams,
  body: {
    required: true,
    content: {
      "application/json": { schema: fileContent },
      "multipart/form-data": { schema: z.object({ file: z.any().openapi({ type: "string", format: "binary" }) }) },
      "*/*": binary("Any other type: the body is the content."),
    },
  },
};

/** Documents the routes in /api/openapi.json. */
function describeFiles({ openAPIRegistry: registry }: Api): void {
  registry.registerPath(documented({
    method: "get",
    path: "/api/files",
    operationId: "listFiles",
    tags: TAGS,
    summary: "List files",
    responses: { 200: answer("All files in the code folder.", z.object({ files: z.array(fileSchema) })), ...errors() },
  }));
  registry.registerPath(documented({
    method: "get",
    path: DOCUMENTED_PATH,
    operationId: "getFile",
    etag: true,
    tags: TAGS,
    summary: "Get a file's content",
    request: { params: fileParams },
    responses: {
      200: {
        description: "The content; with `Accept: application/json` as JSON, in base64 if it is not UTF-8 text.",
        content: {
          "text/plain": binary("Content that is UTF-8 text."),
          "application/octet-stream": binary("Any other content."),
          "application/json": {
            schema: fileSchema.extend({ content: z.string(), encoding: z.enum(["utf-8", "base64"]) }),
          },
        },
      },
      ...errors(400, 404),
    },
  }));
  registry.registerPath(documented({
    method: "put",
    path: DOCUMENTED_PATH,
    operationId: "putFile",
    etag: true,
    conditional: true,
    tags: TAGS,
    summary: "Create or replace a file",
    request: saveRequest,
    responses: {
      200: answer("The file was replaced.", savedSchema),
      201: answer("The file was created.", savedSchema),
      ...errors(400, 413),
    },
  }));
  registry.registerPath(documented({
    method: "post",
    path: DOCUMENTED_PATH,
    operationId: "createFile",
    etag: true,
    tags: TAGS,
    summary: "Create a file",
    request: saveRequest,
    responses: { 201: answer("The file was created.", savedSchema), ...errors(400, 409, 413) },
  }));
  registry.registerPath(documented({
    method: "delete",
    path: DOCUMENTED_PATH,
    operationId: "deleteFile",
    conditional: true,
    tags: TAGS,
    summary: "Delete a file",
    request: { params: fileParams, query: deleteQuery },
    responses: { 200: answer("The file was deleted.", successSchema), ...errors(400, 404, 409) },
  }));
}
