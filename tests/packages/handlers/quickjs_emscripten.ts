import { getQuickJS } from "npm:quickjs-emscripten@0.32.0";

export default async function (c) {
  const quickjs = await getQuickJS();
  return c.json({ result: quickjs.evalCode("[1, 2, 3].map((n) => n * 2).join()") });
}
