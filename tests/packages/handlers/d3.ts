import { extent, line, scaleLinear } from "npm:d3@7.9.2";

export default function (c) {
  const values = [3, 7, 5];
  const y = scaleLinear(extent(values), [100, 0]);
  return c.text(line((_, index) => index * 10, y)(values));
}
