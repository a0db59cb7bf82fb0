import jpeg from "npm:jpeg-js@0.4.4";

export default function (c) {
  const { data } = jpeg.encode({ width: 8, height: 8, data: new Uint8Array(8 * 8 * 4).fill(128) }, 90);
  const { width, height } = jpeg.decode(data, { useTArray: true });
  return c.json({ width, height });
}
