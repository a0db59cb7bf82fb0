// Lists the sections of the pages in their groups. The sidebar, breadcrumbs and the search show them.

import type { IconName } from "../icons/icon.tsx";

export interface Section {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
  /** Pages of the section with lists of their own. */
  readonly parts?: readonly Part[];
}

export interface Part {
  readonly path: string;
  readonly name: string;
  readonly icon: IconName;
}

export interface SectionGroup {
  readonly name: string;
  readonly sections: readonly Section[];
}

export const OVERVIEW_PATH = "/web";

const CODE_PARTS: readonly Part[] = [
  { path: "/web/files", name: "Files", icon: "folder" },
  { path: "/web/history", name: "History", icon: "rotate-ccw-clock" },
  { path: "/web/deployments", name: "Deployments", icon: "rocket" },
];

export const GROUPS: readonly SectionGroup[] = [
  {
    name: "Build",
    sections: [
      { path: OVERVIEW_PATH, name: "Overview", icon: "house" },
      { path: "/web/functions", name: "Functions", icon: "square-function" },
      { path: "/web/files", name: "Code", icon: "folder-code", parts: CODE_PARTS },
      { path: "/web/packages", name: "Packages", icon: "package" },
    ],
  },
  {
    name: "Secure",
    sections: [
      { path: "/web/secrets", name: "Secrets", icon: "lock-keyhole" },
      { path: "/web/keys", name: "API Keys", icon: "key-round" },
    ],
  },
  {
    name: "Observe",
    sections: [
      { path: "/web/logs", name: "Logs", icon: "scroll-text" },
      { path: "/web/metrics", name: "Metrics", icon: "chart-line" },
      { path: "/web/audit", name: "Audit", icon: "shield-check" },
      { path: "/web/announcements", name: "Announcements", icon: "megaphone" },
    ],
  },
  {
    name: "Admin",
    sections: [
      { path: "/web/users", name: "Users", icon: "users" },
      { path: "/web/settings", name: "Settings", icon: "settings" },
      { path: "/web/cluster", name: "Cluster", icon: "server" },
    ],
  },
];

/** Where a path is: its section, and the part of it if the section has parts. */
export interface Place {
  readonly section: Section;
  readonly part?: Part;
}

/** Returns the place of a path; undefined for pages of no section, such as the account. */
export function placeOf(path: string): Place | undefined {
  for (const section of GROUPS.flatMap(({ sections }) => sections)) {
    const part = section.parts?.find((one) => isIn(path, one.path));
    if (part) return { section, part };
    if (isIn(path, section.path)) return { section };
  }
  return undefined;
}

function isIn(path: string, section: string): boolean {
  if (path === section) return true;
  return section !== OVERVIEW_PATH && path.startsWith(`${section}/`);
}
