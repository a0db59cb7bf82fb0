import { execa } from "npm:execa@10.2.1";

export default async function (c) {
  const { stdout } = await execa("ls", ["/"]);
  return c.text(stdout);
}
