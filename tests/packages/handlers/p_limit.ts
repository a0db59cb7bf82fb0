import pLimit from "npm:p-limit@7.3.3";

export default async function (c) {
  const limit = pLimit(2);
  let running = 0, most = 0;
  const results = await Promise.all([1, 2, 3, 4].map((n) =>
    limit(async () => {
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
      return n * n;
    })
  ));
  return c.json({ results, most });
}
