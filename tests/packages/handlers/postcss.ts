import postcss from "npm:postcss@8.5.33";
import autoprefixer from "npm:autoprefixer@10.6.2";

export default async function (c) {
  const { css } = await postcss([autoprefixer({ overrideBrowserslist: ["safari 12"] })]).process(
    "a { user-select: none }",
    { from: undefined },
  );
  return c.text(css);
}
