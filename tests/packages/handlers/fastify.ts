import Fastify from "npm:fastify@5.12.8";

const app = Fastify();
app.post("/sum", {
  schema: {
    body: { type: "object", required: ["a", "b"], properties: { a: { type: "number" }, b: { type: "number" } } },
  },
}, ({ body }) => ({ sum: body.a + body.b }));

export default async function () {
  const good = await app.inject({ method: "POST", url: "/sum", payload: { a: 2, b: 3 } });
  const bad = await app.inject({ method: "POST", url: "/sum", payload: { a: 2 } });
  return Response.json({ good: good.json(), bad: bad.json().message });
}
