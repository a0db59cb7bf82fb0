// Makes static/icons.svg from the names in src/control/web/icons/names.ts: `deno task bundle:icons`. The package has
// 7 MB and thousands of icons, so a server gets only the sprite.

import sprite from "lucide-static/sprite.svg" with { type: "text" };
import { ICON_NAMES } from "../src/control/web/icons/names.ts";

const symbols = ICON_NAMES.map((name) => {
  const [, drawing] = new RegExp(`<symbol[^>]* id="${name}"[^>]*>(.*?)</symbol>`, "s").exec(sprite) ?? [];
  if (drawing === undefined) throw new Error(`lucide-static has no icon ${name}.`);
  return `<symbol id="${name}" viewBox="0 0 24 24">${
    drawing.replaceAll(/\s*\n\s*/g, "").replaceAll(" />", "/>")
  }</symbol>`;
});
const text = `<svg xmlns="http://www.w3.org/2000/svg">
<!-- Made by "deno task bundle:icons" from Lucide, under the licence in icons.LICENSE.txt. -->
${symbols.join("\n")}
</svg>
`;
await Deno.writeTextFile(new URL("../static/icons.svg", import.meta.url), text);
