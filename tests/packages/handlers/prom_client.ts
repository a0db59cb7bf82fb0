import { Counter, Registry } from "npm:prom-client@15.1.3";

const registry = new Registry();
const orders = new Counter({ name: "orders_total", help: "Orders", registers: [registry] });

export default async function (c) {
  orders.inc(2);
  return c.text(await registry.metrics());
}
