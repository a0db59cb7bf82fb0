// Lists the secrets that will be deleted together with their owner.

import { plural } from "../../ui/format.ts";

/** How many are listed by name; the others are counted. */
export const SECRETS_NAMED = 20;

export function SecretNames({ secrets, total, owner }: {
  secrets: readonly { name: string }[];
  total: number;
  owner: "group" | "key";
}) {
  if (total === 0) return <p>This {owner} has no secrets of its own.</p>;
  return (
    <div class="warning">
      <p>
        {total === 1 ? "Its secret is" : `Its ${plural(total, "secret")} are`} deleted with it and cannot be restored:
      </p>
      <ul>
        {secrets.map(({ name }) => (
          <li>
            <code>{name}</code>
          </li>
        ))}
        {total > secrets.length && <li>and {plural(total - secrets.length, "more secret")}</li>}
      </ul>
    </div>
  );
}
