// Which secrets go with what is about to be deleted.

import { plural } from "../../ui/format.ts";

/** So many are named, the others counted. */
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
        {total === 1 ? "Its secret is" : `Its ${plural(total, "secret")} are`}{" "}
        deleted with it and cannot be brought back:
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
