// Defines the types of ids, names, references by either, and owners; a branded type shows that a value was checked.

declare const brand: unique symbol;
type Branded<T, B extends string> = T & { readonly [brand]: B };

export type SecretId = Branded<number, "SecretId">;
export type FunctionId = Branded<number, "FunctionId">;
export type GroupId = Branded<number, "GroupId">;
export type KeyId = Branded<number, "KeyId">;
export type WebhookId = Branded<number, "WebhookId">;
/** Of a set of recipients of mail. */
export type MailRecipientsId = Branded<number, "MailRecipientsId">;
export type AdminId = Branded<number, "AdminId">;
export type SessionId = Branded<number, "SessionId">;
/** Matches `[a-zA-Z0-9_-]{1,255}`. */
export type SecretName = Branded<string, "SecretName">;

/** The name of an API key, which is unique in its group. */
export interface KeyName {
  readonly group: string;
  readonly key: string;
}

export type FunctionRef = FunctionId | string;
export type GroupRef = GroupId | string;
export type KeyRef = KeyId | KeyName;

/** What a secret belongs to. A scope and its owner are one value, so that an impossible pair cannot be expressed. */
export type Owner =
  | { readonly scope: "global" }
  | { readonly scope: "function"; readonly functionId: FunctionId }
  | { readonly scope: "group"; readonly groupId: GroupId }
  | { readonly scope: "key"; readonly keyId: KeyId };

export type Scope = Owner["scope"];

/** An owner by its id or its name. */
export type OwnerRef =
  | { readonly scope: "global" }
  | { readonly scope: "function"; readonly functionId: FunctionRef }
  | { readonly scope: "group"; readonly groupId: GroupRef }
  | { readonly scope: "key"; readonly keyId: KeyRef };

/** All scopes, the most specific first: the order in which getSecret searches. */
export const SCOPES = ["key", "group", "function", "global"] as const satisfies readonly Scope[];

/** Returns the owner's id, 0 for global. */
export function ownerId(owner: Owner): number {
  switch (owner.scope) {
    case "global":
      return 0;
    case "function":
      return owner.functionId;
    case "group":
      return owner.groupId;
    case "key":
      return owner.keyId;
  }
}
