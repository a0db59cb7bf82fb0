import { initWasm, Resvg } from "npm:@resvg/resvg-wasm@2.6.2";
import wasm from "npm:@resvg/resvg-wasm@2.6.2/index_bg.wasm" with { type: "bytes" };

await initWasm(wasm);

export default function (c) {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="10"><rect width="20" height="10" fill="red"/></svg>';
  const image = new Resvg(svg).render();
  return c.json({ width: image.width, png: String.fromCharCode(...image.asPng().subarray(1, 4)) });
}
