import * as fontkit from "npm:fontkit@2.0.4";
import font from "npm:dejavu-fonts-ttf@2.37.3/ttf/DejaVuSans.ttf" with { type: "bytes" };

export default function (c) {
  const { familyName, numGlyphs } = fontkit.create(font);
  return c.json({ familyName, many: numGlyphs > 5_000 });
}
