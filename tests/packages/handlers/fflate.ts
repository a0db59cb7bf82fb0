import { strFromU8, strToU8, unzipSync, zipSync } from "npm:fflate@0.8.3";

export default function (c) {
  const zip = zipSync({ "a.txt": strToU8("one"), "b/c.txt": strToU8("two") });
  return c.json(Object.entries(unzipSync(zip)).map(([name, bytes]) => [name, strFromU8(bytes)]));
}
