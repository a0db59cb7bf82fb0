import { Client } from "npm:basic-ftp@6.2.3";

export default async function (c) {
  const client = new Client(2_000);
  const error = await client.access({ host: "127.0.0.1", port: 9 }).catch((error) => error);
  client.close();
  return c.json({ refused: String(error?.message).includes("ECONNREFUSED") });
}
