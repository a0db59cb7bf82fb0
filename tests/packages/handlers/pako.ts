import { deflate, inflate } from "npm:pako@3.0.3";

export default function (c) {
  const packed = deflate(new TextEncoder().encode("a".repeat(1_000)));
  return c.json({ small: packed.length < 50, length: inflate(packed).length });
}
