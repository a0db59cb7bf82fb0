import { PNG } from "npm:pngjs@7.0.0";

export default function (c) {
  const png = new PNG({ width: 2, height: 2 });
  png.data.fill(255);
  const { width, height, data } = PNG.sync.read(PNG.sync.write(png));
  return c.json({ width, height, first: [...data.subarray(0, 4)] });
}
