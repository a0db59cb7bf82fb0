import brotli from "npm:brotli-wasm@3.0.1";

export default async function (c) {
  const { compress, decompress } = await brotli;
  return c.text(new TextDecoder().decode(decompress(compress(new TextEncoder().encode("small")))));
}
