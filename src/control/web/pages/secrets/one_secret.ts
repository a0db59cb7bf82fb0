// Finds the secret that a page is about, and names its addresses.

import type { Context } from "hono";
import type { SecretId } from "../../../../ids.ts";
import type { SecretRow } from "../../../../store/secrets.ts";
import { idText } from "../../../inputs/fields.ts";
import type { WebDeps, WebEnv } from "../../shell/deps.ts";
import { SECRETS } from "../../ui/secret_labels.ts";

export const secretPath = (id: SecretId): string => `${SECRETS}/${id}`;

/** Returns the secret that the path names. @throws AppError NotFound (404) */
export function secretOf(c: Context<WebEnv>, { secrets }: WebDeps): SecretRow {
  return secrets.get(idText<SecretId>().parse(c.req.param("id")));
}

/** Reports whether a script asks for a part of a page. */
export function isPart(c: Context<WebEnv>): boolean {
  return c.req.header("HX-Request") !== undefined;
}
