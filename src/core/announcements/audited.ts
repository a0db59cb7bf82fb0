// Makes announcements of entries of the audit, which has them from whichever node they happened on.

import type { AuditFilter, AuditRow } from "../../store/audit.ts";
import { DAY_MS, HOUR_MS } from "../../time.ts";
import type { Announcement, Ended } from "./events.ts";

/** Actions that may be announced, or end what was. */
export const AUDITED_ACTIONS: readonly string[] = [
  "secret.canary",
  "response.leaked",
  "response.blocked",
  "rotation.failed",
  "rotation.finished",
  "sign-in.succeeded",
];

/** Earlier sign-ins of a user whose networks are known places. */
const EARLIER_SIGN_INS = 1_000;

type Page = (filter: AuditFilter, before: number, limit: number) => AuditRow[];

/** A failed rotation is tried again every few minutes or hours. */
const ROTATION_AGAIN_MS = DAY_MS;
const ROTATION = "rotation";

/** Returns what an entry of one of `AUDITED_ACTIONS` announces or ends, if anything; `page` reads earlier ones. */
export function auditAnnouncement(row: AuditRow, page: Page): Announcement | Ended | undefined {
  const { id, at, action, subjectId, subjectName } = row;
  const after = JSON.parse(row.after ?? "{}");
  if (subjectId === null && !action.startsWith("rotation.")) {
    // Others count repetitions of what was announced.
    return after.from === undefined ? undefined : furtherOnes(row, after.repeated ?? null);
  }
  switch (action) {
    case "secret.canary": {
      const { how, host = null, blockedBy = null } = after;
      const { functionId = null, functionName = null, keyId = null, keyName = null } = after;
      const where = host === null ? "" : ` ${host} ${blockedBy}`;
      const who = row.actorKind === "server" ? null : { kind: row.actorKind, name: row.actorName };
      return {
        type: "secret.canary",
        topic: `canary ${subjectId} ${how} ${functionId} ${keyId} ${who?.kind} ${who?.name}${where}`,
        againAfterMs: HOUR_MS,
        at,
        data: {
          secretId: Number(subjectId),
          name: subjectName,
          how,
          host,
          blockedBy,
          functionId,
          functionName,
          keyId,
          keyName,
          revealedTo: who,
        },
      };
    }
    case "response.leaked":
    case "response.blocked": {
      const secrets = [...after.secrets ?? []] as string[];
      const isBlocked = action === "response.blocked";
      return {
        type: "secret.leaked",
        topic: `leak ${subjectId} ${isBlocked} ${JSON.stringify(secrets.sort())}`,
        againAfterMs: HOUR_MS,
        at,
        data: {
          functionId: Number(subjectId),
          functionName: subjectName,
          secrets,
          blocked: isBlocked,
          requestId: after.requestId ?? null,
        },
      };
    }
    case "rotation.failed":
      // The next start resumes it.
      if (after.stopped) return undefined;
      return { type: "rotation.failed", topic: ROTATION, againAfterMs: ROTATION_AGAIN_MS, at, data: { auditId: id } };
    case "rotation.finished":
      return { ended: ROTATION };
    default:
      return newPlace(row, page);
  }
}

/** Announces more leaks or canaries within a minute than the audit distinguishes, so that many cannot hide one. */
function furtherOnes({ at, action }: AuditRow, count: number | null): Announcement | undefined {
  const [topic, againAfterMs] = [`others ${action}`, HOUR_MS];
  if (action === "secret.canary") {
    const data = { secretId: null, name: null, how: null, functionId: null, functionName: null, keyId: null };
    return {
      type: "secret.canary",
      topic,
      againAfterMs,
      at,
      data: { ...data, keyName: null, revealedTo: null, count },
    };
  }
  const blocked = action === "response.blocked";
  const data = { functionId: null, functionName: null, secrets: [], blocked, requestId: null, count };
  return { type: "secret.leaked", topic, againAfterMs, at, data };
}

/** The first sign-in of a user is from no new place. */
function newPlace(row: AuditRow, page: Page): Announcement | undefined {
  const { id, at, address, subjectId, subjectName } = row;
  if (address === null) return undefined;
  const filter = { action: "sign-in.succeeded", subject: { kind: row.subjectKind, id: subjectId! } };
  const earlier = page(filter, id, EARLIER_SIGN_INS);
  const network = networkOf(address);
  if (earlier.length === 0 || earlier.some((one) => one.address && networkOf(one.address) === network)) {
    return undefined;
  }
  const data = { userId: Number(subjectId), email: subjectName, address };
  return { type: "sign-in.new-place", topic: `audit ${id}`, at, data };
}

/** Returns the /24 of an IPv4 address, or the /48 of an IPv6 address. */
function networkOf(address: string): string {
  const v4 = /(?:^|:)(\d+\.\d+\.\d+)\.\d+$/.exec(address);
  if (v4) return v4[1]!;
  const [head, tail] = address.split("%")[0]!.split("::") as [string, string | undefined];
  const groups = head === "" ? [] : head.split(":");
  const rest = tail ? tail.split(":") : [];
  const zeros = tail === undefined ? 0 : 8 - groups.length - rest.length;
  const all = [...groups, ...Array(Math.max(0, zeros)).fill("0"), ...rest];
  return all.slice(0, 3).map((group) => parseInt(group, 16).toString(16)).join(":");
}
