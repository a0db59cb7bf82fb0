import { Hono } from "npm:hono@4.13.19";
import { basicAuth } from "npm:hono@4.13.19/basic-auth";

const app = new Hono();
app.get("/public", (c) => c.json({ open: true }));
app.use("/admin/*", basicAuth({ username: "ada", password: "secret" }));
app.get("/admin/:page", (c) => c.text(`admin ${c.req.param("page")}`));

export default async function (c) {
  const open = await app.request("/public");
  const closed = await app.request("/admin/users");
  const admin = await app.request("/admin/users", { headers: { Authorization: `Basic ${btoa("ada:secret")}` } });
  return c.json({ open: await open.json(), closed: closed.status, admin: await admin.text() });
}
