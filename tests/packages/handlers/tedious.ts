import { Connection } from "npm:tedious@20.3.9";

export default (c) =>
  new Promise((resolve) => {
    const connection = new Connection({
      server: "127.0.0.1",
      authentication: { type: "default", options: { userName: "app", password: "password" } },
      options: { port: 9, encrypt: false, connectTimeout: 2_000 },
    });
    connection.connect((error) => resolve(c.json({ error: error?.code ?? null })));
  });
