import { Liquid } from "npm:liquidjs@10.30.1";

const engine = new Liquid();

export default async (c) =>
  c.html(
    await engine.parseAndRender("{% for p in products %}{{ p.name | upcase }}: {{ p.price | times: 2 }};{% endfor %}", {
      products: [{ name: "lamp", price: 5 }, { name: "desk", price: 40 }],
    }),
  );
