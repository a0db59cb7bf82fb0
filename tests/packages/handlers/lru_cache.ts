import { LRUCache } from "npm:lru-cache@11.5.3";

const cache = new LRUCache({ max: 2, ttl: 60_000 });

export default function (c) {
  for (const key of ["a", "b", "c"]) cache.set(key, key.toUpperCase());
  return c.json({ a: cache.get("a") ?? null, c: cache.get("c") });
}
