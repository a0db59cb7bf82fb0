// Deploys a project for a test, as the command line does: hashes first, contents only if they are missing.

import assert from "node:assert/strict";
import { sha256Of } from "../../src/sha256.ts";
import type { Answer, Server } from "./server.ts";

export interface Project {
  files: Record<string, string | null>;
  functions?: Record<string, unknown>;
  [option: string]: unknown;
}

/** Stores the contents and posts the deployment. */
export async function post(server: Server, { files, ...rest }: Project): Promise<Answer> {
  const hashes: Record<string, string | null> = {};
  for (const [path, content] of Object.entries(files)) {
    hashes[path] = content === null ? null : sha256Of(content);
    if (content === null) continue;
    const { status } = await server.api("PUT", `/api/blobs/${hashes[path]}`, content, {
      "Content-Type": "application/octet-stream",
    });
    assert.ok(status === 200 || status === 201);
  }
  return await server.api("POST", "/api/deployments", { files: hashes, ...rest });
}

/** The same for a deployment that must succeed; its id, version and plan. */
// deno-lint-ignore no-explicit-any
export async function deployed(server: Server, project: Project): Promise<any> {
  const { status, body } = await post(server, project);
  assert.equal(status, 201, JSON.stringify(body));
  return body.deployment;
}

export const saying = (word: string) => `export default (c) => c.text("${word}");\n`;

export const on = (route: string, handler: string, rest: Record<string, unknown> = {}) => ({ route, handler, ...rest });
