import Bottleneck from "npm:bottleneck@2.19.5";

const limiter = new Bottleneck({ maxConcurrent: 1, minTime: 5 });

export default async (c) =>
  c.json(await Promise.all([1, 2, 3].map((n) => limiter.schedule(() => Promise.resolve(n * 2)))));
