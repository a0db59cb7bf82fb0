import { get_encoding } from "npm:tiktoken@1.0.22";

export default function (c) {
  const encoding = get_encoding("cl100k_base");
  const tokens = encoding.encode("How many tokens are in this sentence?");
  const text = new TextDecoder().decode(encoding.decode(tokens));
  encoding.free();
  return c.json({ tokens: tokens.length, text });
}
