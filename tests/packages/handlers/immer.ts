import { produce } from "npm:immer@11.2.10";

export default function (c) {
  const before = { users: [{ name: "Ada" }] };
  const after = produce(before, (draft) => void draft.users.push({ name: "Bob" }));
  return c.json({ before, after });
}
