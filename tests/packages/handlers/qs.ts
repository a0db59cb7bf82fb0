import qs from "npm:qs@6.17.1";

export default (c) =>
  c.json({ parsed: qs.parse("a[b][]=1&a[b][]=2&c=d"), text: qs.stringify({ f: { g: [1, 2] } }, { encode: false }) });
