// Implements /api/cluster: shows the nodes of the cluster as this one sees them.

import { z } from "@hono/zod-openapi";
import { answer, errors, time, timeSchema } from "../inputs/fields.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute } from "./route.ts";

const id = z.string().openapi({ example: "5f0c9f0e-8a53-4d7f-9d0e-0f2b6a1c7d11" });
const seq = z.int().min(0).openapi({ example: 4711 });

const nodeSchema = z.object({
  id,
  url: z.string().openapi({ example: "http://10.0.0.5:8000", description: "How other nodes reach it." }),
  version: z.string().openapi({ example: "0.1.0" }),
  applied: seq.openapi({ description: "The last change that it is known to have applied." }),
  live: z.boolean().nullable().openapi({
    description: "Whether it may serve, so that changes wait for it; null if that is not known, see unknownSince.",
  }),
  renewedMsAgo: z.int().min(0).openapi({ example: 180, description: "Since it last renewed its lease." }),
  startedAt: timeSchema,
});

const clusterSchema = z.object({
  mode: z.enum(["single", "cluster"]),
  node: id.nullable().openapi({ description: "The node that answers; null on a server of its own." }),
  head: seq.nullable().openapi({ description: "The last change that this node knows of." }),
  nodes: z.array(nodeSchema).openapi({ description: "Empty on a server of its own." }),
  unknownSince: timeSchema.optional().openapi({
    description: "Since when the node that answers cannot read how the others are. What it says of them is from then.",
  }),
  problem: z.object({
    code: z.enum(["CutOff", "CodeNotInPlace", "LogTampered"]).or(z.string()),
    error: z.string(),
    seq: seq.optional().openapi({ description: "The entry of the log that was altered." }),
  }).optional().openapi({ description: "Why this node does not serve now." }),
}).openapi("Cluster");

const get = apiRoute({
  method: "get",
  path: "/api/cluster",
  operationId: "getCluster",
  tags: ["Cluster"],
  summary: "List the nodes of the cluster",
  description: "As the node that answers sees them. Answered by a node that is cut off, too.",
  responses: { 200: answer("The nodes.", clusterSchema), ...errors() },
});

export function addCluster(api: Api, { cluster }: ApiDeps): void {
  api.openapi(get, (c) => {
    const { mode, node, head, nodes, unknownSince, problem } = cluster();
    return c.json({
      mode,
      node,
      head,
      nodes: nodes.map(({ id, url, version, applied, live, renewedMsAgo, startedAt }) => ({
        id,
        url,
        version,
        applied,
        live: live ?? null,
        renewedMsAgo: Math.max(0, Math.round(renewedMsAgo)),
        startedAt: time(startedAt),
      })),
      ...(unknownSince !== undefined && { unknownSince: time(unknownSince) }),
      ...(problem && {
        problem: {
          code: problem.code,
          error: problem.message,
          ...(problem.seq !== undefined && { seq: problem.seq }),
        },
      }),
    }, 200);
  });
}
