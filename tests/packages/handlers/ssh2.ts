import ssh2 from "npm:ssh2@1.17.0";

export default (c) =>
  new Promise((resolve) => {
    const connection = new ssh2.Client();
    connection.on("error", ({ code }) => resolve(c.json({ code })));
    connection.connect({ host: "127.0.0.1", port: 9, username: "app", password: "password" });
  });
