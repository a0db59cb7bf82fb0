import { Elysia, t } from "npm:elysia@1.4.30";

const app = new Elysia({ prefix: "/run/elysia" })
  .get("/", () => ({ home: true }))
  .get("/users/:id", ({ params }) => params, { params: t.Object({ id: t.Numeric() }) });

export default (c) => app.fetch(c.req.raw);
