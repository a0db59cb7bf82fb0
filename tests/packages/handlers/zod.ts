import { z } from "npm:zod@4.6.7";

const Order = z.object({
  email: z.email(),
  items: z.array(z.object({ sku: z.string(), count: z.int().positive() })).min(1),
});

export default function (c) {
  const good = Order.safeParse({ email: "ada@example.com", items: [{ sku: "a-1", count: 2 }] });
  const bad = Order.safeParse({ email: "ada", items: [] });
  return c.json({ good: good.success, bad: bad.error.issues.map(({ path }) => path.join(".")) });
}
