// What the search finds of the program itself: pages, actions, settings, documentation.

import { DEFINITIONS, SETTING_NAMES } from "../../../../core/settings/definitions.ts";
import type { IconName } from "../../icons/icon.tsx";
import { GROUPS } from "../../shell/navigation.ts";
import { addressOf, DOCS_PATH, type Document } from "../docs/documents.ts";

export type Kind =
  | "Action"
  | "Page"
  | "Function"
  | "Secret"
  | "API key"
  | "Key group"
  | "Request"
  | "Setting"
  | "Documentation";

export interface Entry {
  readonly kind: Kind;
  readonly name: string;
  /** Says more about it, such as the group of a key. */
  readonly detail?: string;
  readonly href: string;
  /** Of a page; otherwise the kind's. */
  readonly icon?: IconName;
  /** Other names of it, such as the raw name of a setting. */
  readonly aliases?: readonly string[];
  /** Other words by which it is found. */
  readonly words?: string;
}

/** Each leads to the page with the form for it; none does anything on its own. */
const ACTIONS: readonly Entry[] = ([
  ["Create function", "/web/functions/new", ["New function", "Add function"]],
  ["Add Secret", "/web/secrets/new", ["Create Secret", "New secret"]],
  ["Import secrets", "/web/secrets/paste", ["Paste several secrets", ".env"]],
  ["Resolve as…", "/web/secrets/resolve", ["Which value a caller gets"]],
  ["Create key", "/web/keys/new", ["Create API key", "New API key", "Add API key"]],
  ["Create group", "/web/keys/groups/new", ["Create key group", "New key group"]],
  ["Upload files", "/web/files", ["New file", "Create file"]],
  ["Roll back a deployment", "/web/deployments", ["Rollback", "Undo a deployment"]],
  ["Rotate now", "/web/settings/encryption", ["Rotate the encryption key"]],
  ["Invite a user", "/web/users/new", ["New user", "Add user", "Create user"]],
  ["Add a webhook", "/web/announcements/new", ["New webhook", "Create webhook"]],
] as const).map(([name, href, aliases]) => ({ kind: "Action", name, href, aliases }));

const FURTHER_PAGES: readonly (readonly [name: string, href: string, words?: string])[] = [
  ["Due secrets", "/web/secrets/due", "expired overdue rotation"],
  ["Deleted secrets", "/web/secrets/deleted", "bin trash restore"],
  ["Exposure", "/web/secrets/exposure", "who has read secrets"],
  ["Encryption", "/web/settings/encryption", "key rotation"],
  ["Git source", "/web/deployments/git", "repository sync"],
  ["Your account", "/web/account", "password sessions second factor totp profile"],
  ["Documentation", DOCS_PATH, "docs help manual"],
  ["API reference of this server", "/api/docs", "openapi rest"],
];

const PAGES: readonly Entry[] = [
  ...GROUPS.flatMap(({ sections }) =>
    sections.flatMap((section) => section.parts ?? [section]).map(({ path, name, icon }) => ({
      kind: "Page" as const,
      name,
      href: path,
      icon,
    }))
  ),
  ...FURTHER_PAGES.map(([name, href, words = ""]) => ({ kind: "Page" as const, name, href, words })),
];

const SETTINGS: readonly Entry[] = SETTING_NAMES.map((name) => ({
  kind: "Setting",
  name: DEFINITIONS[name].title,
  detail: name,
  href: `/web/settings#${name}`,
  aliases: [name],
  words: DEFINITIONS[name].meaning,
}));

/** What an empty search shows. */
export const SUGGESTED: readonly Entry[] = [...ACTIONS.slice(0, 3), ...PAGES.slice(0, 12)];

export const FIXED: readonly Entry[] = [...ACTIONS, ...PAGES, ...SETTINGS];

/** Returns the documents and their sections as entries. */
export function documentEntries(documents: Iterable<Document>): Entry[] {
  return [...documents].flatMap((document) => [
    { kind: "Documentation" as const, name: document.title, href: addressOf(document) },
    ...document.headings.map(({ id, text }) => ({
      kind: "Documentation" as const,
      name: text,
      detail: document.title,
      href: addressOf(document, id),
    })),
  ]);
}
