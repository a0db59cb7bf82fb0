// Implements the table of a user's sessions.

import type { SessionId } from "../../../../ids.ts";
import type { SessionRow } from "../../../../store/admins.ts";
import { Ago, Badge, PostButton } from "../../ui/components.tsx";
import { DataTable } from "../../ui/data_table.tsx";

export interface SessionTableProps {
  readonly sessions: readonly SessionRow[];
  /** The one that asks. */
  readonly own: SessionId;
  readonly now: number;
  /** After how long without use a session ends. */
  readonly idleMs: number;
  /** Where one is ended, by its id. */
  readonly endPath: string;
}

/** The live sessions of a user, the one used last first. */
export function SessionTable({ sessions, own, now, idleMs, endPath }: SessionTableProps) {
  return (
    <DataTable
      label="Sessions"
      isStacked
      rows={sessions}
      columns={[
        {
          label: "Browser",
          narrowLabel: null,
          cell: ({ id, userAgent }) => (
            <>
              {browserOf(userAgent)} {id === own && <Badge kind="ok">this one</Badge>}
            </>
          ),
        },
        { label: "Address", cell: ({ address }) => address },
        { label: "Since", cell: ({ createdAt }) => <Ago ms={createdAt} now={now} /> },
        { label: "Last seen", cell: ({ lastSeenAt }) => <Ago ms={lastSeenAt} now={now} /> },
        { label: "Ends without use", cell: ({ lastSeenAt }) => <Ago ms={lastSeenAt + idleMs} now={now} /> },
        {
          label: "Actions",
          isActions: true,
          cell: ({ id, userAgent, address }) =>
            id !== own && (
              <PostButton
                action={endPath}
                label="Sign out"
                kind="quiet"
                isSmall
                fields={{ id: String(id) }}
                describe={`the session of ${browserOf(userAgent)} at ${address}`}
              />
            ),
        },
      ]}
    />
  );
}

const BROWSERS: readonly (readonly [RegExp, string])[] = [
  [/Edg\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\//, "Firefox"],
  [/Chrom(?:e|ium)\//, "Chrome"],
  [/Safari\//, "Safari"],
];
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/Android/, "Android"],
  [/iPhone|iPad/, "iOS"],
  [/Windows/, "Windows"],
  [/Mac OS X/, "macOS"],
  [/Linux|X11/, "Linux"],
];

/** Returns a browser's name, such as "Firefox on Linux". User agents contain the names of other browsers, too. */
function browserOf(userAgent: string): string {
  const find = (names: readonly (readonly [RegExp, string])[]) => names.find(([sign]) => sign.test(userAgent))?.[1];
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  if (!browser) return userAgent.slice(0, 40) || "Unknown";
  return system ? `${browser} on ${system}` : browser;
}
