// Implements /api/encryption-keys: shows the state of the encryption keys and rotates them.

import { z } from "@hono/zod-openapi";
import { describeUnreadable } from "../../core/encryption/key_status.ts";
import { requireVersion, type Version, versionOf } from "../../versions.ts";
import type { Api, ApiDeps } from "../services.ts";
import { apiRoute, ifMatch, tag } from "./route.ts";
import { answer, errors, time, timeSchema } from "../inputs/fields.ts";

const version = z.int().min(1).openapi({ example: 2 });
const count = z.int().min(0);

const statusSchema = z.object({
  lastRotationAt: timeSchema.openapi({ description: "Before the first rotation: when the key was created." }),
  daysSinceRotation: count,
  nextRotationAt: timeSchema,
  rotationIntervalDays: z.int().min(1),
  currentVersion: version,
  isInProgress: z.boolean(),
  progress: z.object({ done: count, total: count }).nullable().openapi({
    description: "Numbers of values; null while no rotation runs.",
  }),
  missingVersions: z.array(z.object({ version, values: z.int().min(1) })).openapi({
    description: "Key versions that the key file lacks, and how many stored values cannot be read without them.",
  }),
}).openapi("Rotation");

const rotatedSchema = z.object({
  success: z.literal(true),
  message: z.string(),
  currentVersion: version,
  reencrypted: count.openapi({ description: "How many values were re-encrypted." }),
}).openapi("Rotated");

const path = "/api/encryption-keys/rotation";
const tags = ["Encryption keys"];

const get = apiRoute({
  method: "get",
  path,
  operationId: "getRotation",
  etag: true,
  tags,
  summary: "Get the times of the last and the next rotation, and its progress",
  responses: { 200: answer("The state of rotation.", statusSchema), ...errors() },
});

const rotate = apiRoute({
  method: "post",
  path,
  operationId: "rotateKeys",
  etag: true,
  conditional: true,
  tags,
  summary: "Rotate the encryption keys",
  description:
    "Creates a new key, re-encrypts every stored value with it, and then answers. The server keeps serving " +
    "requests. An interrupted rotation is completed instead. 409 while one is running; 503 if the disk is full, " +
    "without any loss.",
  responses: { 200: answer("Every readable value was re-encrypted.", rotatedSchema), ...errors(409, 503) },
});

export function addEncryptionKeys(api: Api, { rotation }: ApiDeps): void {
  /** Returns the version of the status without the progress of a rotation, which changes all the time. */
  const version = (): Version => {
    const { lastRotationAt, rotationIntervalDays, currentVersion, progress } = rotation.status();
    return versionOf([lastRotationAt, rotationIntervalDays, currentVersion, progress !== null]);
  };

  api.openapi(get, (c) => {
    tag(c, version());
    const { lastRotationAt, nextRotationAt, progress, ...status } = rotation.status();
    const times = { lastRotationAt: time(lastRotationAt), nextRotationAt: time(nextRotationAt) };
    return c.json({ ...times, ...status, isInProgress: progress !== null, progress }, 200);
  });

  api.openapi(rotate, async (c) => {
    // A rotation starts before the first `await`.
    requireVersion(ifMatch(c), version(), "the state of the rotation");
    const { currentVersion, reencrypted, unreadable } = await rotation.rotate(c.get("actor"));
    tag(c, version());
    const done = `The encryption keys were rotated to version ${currentVersion}.`;
    const message = unreadable.values === 0 ? done : `${done} ${describeUnreadable(unreadable)}`;
    return c.json({ success: true as const, message, currentVersion, reencrypted }, 200);
  });
}
