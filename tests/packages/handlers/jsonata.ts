import jsonata from "npm:jsonata@2.2.2";

export default async (c) =>
  c.json(
    await jsonata("$sum(items.(price * count))").evaluate({ items: [{ price: 2, count: 3 }, { price: 5, count: 1 }] }),
  );
