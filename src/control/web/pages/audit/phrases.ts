// Describes entries of the audit in words, such as "created the secret" or "rotated the encryption keys".

import type { Action } from "../../../../actor.ts";
import type { AuditRow } from "../../../../store/audit.ts";

/** A verb, and the nouns for one or several objects; without `one`, the verb needs no object. */
interface Phrase {
  readonly did: string;
  readonly one?: string;
  readonly many?: string;
}

const SECRET = { one: "the secret", many: "secrets" };
const FUNCTION = { one: "the function", many: "functions" };
const KEY = { one: "the API key", many: "API keys" };
const GROUP = { one: "the key group", many: "key groups" };
const FILE = { one: "the file", many: "files" };
const USER = { one: "the user", many: "users" };

const RECIPIENTS = { one: "the recipients of mail", many: "sets of recipients of mail" };
const MAIL_SERVER = { one: "the mail server", many: "mail servers" };
const WEBHOOK = { one: "the webhook", many: "webhooks" };

const CLUSTER = { one: "the cluster in the schema", many: "clusters" };
const NODE = { one: "the node", many: "nodes" };

const PHRASES: Readonly<Record<Action, Phrase>> = {
  "secret.created": { did: "created", ...SECRET },
  "secret.updated": { did: "changed", ...SECRET },
  "secret.deleted": { did: "deleted", ...SECRET },
  "secret.restored": { did: "restored", ...SECRET },
  "secret.purged": { did: "deleted permanently a value of", ...SECRET },
  "secret.revealed": { did: "viewed", one: "the value of the secret", many: "the values of secrets" },
  "secret.canary": { did: "raised the alarm of the canary", ...SECRET },
  "function.created": { did: "created", ...FUNCTION },
  "function.updated": { did: "changed", ...FUNCTION },
  "function.deleted": { did: "deleted", ...FUNCTION },
  "file.created": { did: "created", ...FILE },
  "file.updated": { did: "replaced", ...FILE },
  "file.deleted": { did: "deleted", ...FILE },
  "file.failed": { did: "tried to change the following, but failed:", ...FILE },
  "code.deployed": { did: "deployed", one: "the code:", many: "code" },
  "code.restored": { did: "restored an earlier version of the code:", one: "", many: "" },
  "code.purged": { did: "purged from the history a content of", one: "the file", many: "files" },
  "git-source.set": { did: "set", one: "the git source", many: "git sources" },
  "git-source.removed": { did: "removed", one: "the git source", many: "git sources" },
  "package.updated": { did: "updated", one: "the package", many: "packages" },
  "webhook.created": { did: "created", ...WEBHOOK },
  "webhook.updated": { did: "changed", ...WEBHOOK },
  "webhook.deleted": { did: "deleted", ...WEBHOOK },
  "webhook.failed": { did: "gave up a delivery to", ...WEBHOOK },
  "mail-server.set": { did: "set", ...MAIL_SERVER },
  "mail-server.removed": { did: "removed", ...MAIL_SERVER },
  "mail-recipients.created": { did: "added", ...RECIPIENTS },
  "mail-recipients.updated": { did: "changed", ...RECIPIENTS },
  "mail-recipients.deleted": { did: "deleted", ...RECIPIENTS },
  "mail.failed": { did: "gave up a mail to", ...RECIPIENTS },
  "key-group.created": { did: "created", ...GROUP },
  "key-group.updated": { did: "changed", ...GROUP },
  "key-group.deleted": { did: "deleted", ...GROUP },
  "key.created": { did: "created", ...KEY },
  "key.updated": { did: "changed", ...KEY },
  "key.rolled": { did: "rolled", ...KEY },
  "key.previous-value-revoked": {
    did: "revoked",
    one: "the previous value of the API key",
    many: "the previous values of API keys",
  },
  "key.revoked": { did: "revoked", ...KEY },
  "key.revealed": { did: "viewed", one: "the value of the API key", many: "the values of API keys" },
  "logs.cleared": { did: "deleted the log of", ...FUNCTION },
  "settings.changed": { did: "changed", one: "the setting", many: "settings" },
  "rotation.started": { did: "started to rotate the encryption keys" },
  "rotation.finished": { did: "rotated the encryption keys" },
  "rotation.failed": { did: "failed to rotate the encryption keys" },
  "admin.created": { did: "added", ...USER },
  "admin.updated": { did: "changed", ...USER },
  "admin.deleted": { did: "removed", ...USER },
  "sign-in.succeeded": { did: "signed in" },
  "sign-in.failed": { did: "failed to sign in as", one: "the user", many: "some user" },
  "sign-in.locked": { did: "was slowed down after failed attempts to sign in as", one: "the user", many: "some user" },
  "sign-in.ended": { did: "signed out" },
  "backup.created": { did: "created a backup in", one: "the folder", many: "a folder" },
  "backup.restored": { did: "restored the backup in", one: "the folder", many: "a folder" },
  "passphrase.changed": { did: "changed the passphrase of the key file" },
  "response.leaked": { did: "found a secret in a response of", ...FUNCTION },
  "response.blocked": { did: "withheld a response with a secret of", ...FUNCTION },
  "audit.started": { did: "started this audit" },
  "audit.broken": { did: "found that the end of the audit was altered, and continued from here" },
  "database.altered": {
    did: "found that another program changed the database:",
    one: "a row of the table",
    many: "rows of the table",
  },
  "cluster.founded": { did: "founded", ...CLUSTER },
  "cluster.moved": { did: "moved a server into", ...CLUSTER },
  "cluster.left": { did: "made this server a copy of", ...CLUSTER },
  "cluster.upgraded": { did: "upgraded the database of", ...CLUSTER },
  "node.joined": { did: "took", one: "into the cluster the node", many: "nodes" },
  "node.left": { did: "found stopped", ...NODE },
  "node.forgotten": { did: "found removed from the list of nodes", ...NODE },
};

/** Names of actors without a name of their own. */
export const WHO: Readonly<Record<string, string>> = {
  visitor: "Someone",
  operator: "The operator",
  server: "The server",
};

/** Returns who did something, as the first words of a sentence. */
export function whoOf({ actorKind, actorName }: AuditRow): string {
  return WHO[actorKind] ?? `${actorKind === "key" ? "API key " : ""}${actorName ?? actorKind}`;
}

/** Returns the words between the actor and the subject's name, and that name; "" without one. */
export function phraseOf(row: AuditRow): { did: string; name: string } {
  // A row that another program altered may have any action.
  const phrase = PHRASES[row.action as Action] ?? { did: row.action };
  if (row.action === "sign-in.failed" && row.subjectKind === "api") {
    return { did: "was refused by the API: the API key is unknown or not allowed", name: "" };
  }
  if (phrase.one === undefined) return { did: phrase.did, name: "" };
  if (row.subjectName !== "") return { did: `${phrase.did} ${phrase.one}`, name: row.subjectName };
  return { did: `${phrase.did} ${phrase.many}`, name: "" };
}

/** Returns the label of an action, or of a kind of actions, in the filter. */
export function actionLabel(action: string): string {
  const [kind, what] = action.split(".") as [Kind, string];
  const noun = NOUNS[kind];
  return what === "*" ? `${noun}: all` : `${noun} ${what}`;
}

type KindOf<A extends Action> = A extends `${infer K}.${string}` ? K : never;
type Kind = KindOf<Action>;

const NOUNS: Readonly<Record<Kind, string>> = {
  secret: "Secret",
  function: "Function",
  file: "File",
  code: "Code",
  "git-source": "Git source",
  webhook: "Webhook",
  logs: "Logs",
  package: "Package",
  mail: "Mail",
  database: "Database",
  "mail-server": "Mail server",
  "mail-recipients": "Recipients of mail",
  "key-group": "Key group",
  key: "API key",
  settings: "Settings",
  rotation: "Key rotation",
  admin: "User",
  "sign-in": "Sign-in",
  backup: "Backup",
  passphrase: "Passphrase",
  response: "Response",
  audit: "Audit",
  cluster: "Cluster",
  node: "Node",
};
