import { array, is, number, object, string } from "npm:superstruct@2.0.2";

const Article = object({ id: number(), title: string(), tags: array(string()) });

export default (c) =>
  c.json([is({ id: 1, title: "x", tags: ["a"] }, Article), is({ id: "1", title: "x", tags: [] }, Article)]);
