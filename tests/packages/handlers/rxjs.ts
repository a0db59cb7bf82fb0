import { filter, from, lastValueFrom, map, toArray } from "npm:rxjs@7.8.2";

export default async (c) =>
  c.json(await lastValueFrom(from([1, 2, 3, 4]).pipe(filter((n) => n % 2 === 0), map((n) => n * n), toArray())));
