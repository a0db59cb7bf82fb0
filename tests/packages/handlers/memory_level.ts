import { MemoryLevel } from "npm:memory-level@3.1.0";

const db = new MemoryLevel({ valueEncoding: "json" });

export default async function (c) {
  await db.batch([
    { type: "put", key: "order:1", value: { total: 10 } },
    { type: "put", key: "order:2", value: { total: 20 } },
    { type: "put", key: "user:1", value: {} },
  ]);
  const totals = [];
  for await (const { total } of db.values({ gte: "order:", lt: "order;" })) totals.push(total);
  return c.json(totals);
}
