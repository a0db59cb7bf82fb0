// Compares pictures of a page with stored ones, in the browser: it reads and writes PNG without further packages.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Locator, Page } from "playwright-core";

const FOLDER = new URL("./pictures/", import.meta.url);
/** Set to `true`, it stores the pictures instead. */
const UPDATE = "UPDATE_PICTURES";
/** A pixel differs if one of its channels does by more than this, of 255: antialiasing is not the same everywhere. */
const CHANNEL_TOLERANCE = 40;
/** How many pixels may differ, as a share of all. */
const SHARE_TOLERANCE = 0.001;

/** The fonts that the stored pictures were made with; others have other widths, so that nothing can be compared. */
export async function hasFontsOfPictures(): Promise<boolean> {
  const { stdout } = await new Deno.Command("fc-match", { args: ["system-ui"] }).output().catch(() => ({
    stdout: null,
  }));
  return stdout !== null && new TextDecoder().decode(stdout).startsWith("DejaVuSans.ttf");
}

/** Asserts that what `shown` contains looks as in tests/e2e/pictures/`name`.png. */
export async function assertLooksAsBefore(page: Page, shown: Locator, name: string): Promise<void> {
  const url = new URL(`${name}.png`, FOLDER);
  const whole = await shown.screenshot({ animations: "disabled", caret: "hide" });
  await using blank = await page.context().newPage();
  const now = Uint8Array.fromBase64(await blank.evaluate(`(${HALVED})("${whole.toBase64()}")`));
  if (Deno.env.get(UPDATE) === "true") {
    await Deno.mkdir(FOLDER, { recursive: true });
    return await Deno.writeFile(url, now);
  }
  const stored = await Deno.readFile(url);
  const given = JSON.stringify([now.toBase64(), stored.toBase64(), CHANNEL_TOLERANCE]);
  const share = await blank.evaluate(`(${DIFFERENCE})(${given})`) as number;
  if (share <= SHARE_TOLERANCE) return;
  const seen = fileURLToPath(new URL(`../../screenshots/${name}.png`, import.meta.url));
  await Deno.mkdir(new URL("../../screenshots/", import.meta.url), { recursive: true });
  await Deno.writeFile(seen, whole);
  const how = share > 1 ? "it has another size" : `${(share * 100).toFixed(2)}% of its pixels differ`;
  assert.fail(`${name} looks different: ${how}. See ${seen}; if it is as wanted, run the test with ${UPDATE}=true.`);
}

/** Returns a picture in half its width and height: what is small enough to be stored, and still shows every change. */
const HALVED = `async (base64) => {
  const image = new Image();
  image.src = "data:image/png;base64," + base64;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width / 2, image.height / 2);
  const context = canvas.getContext("2d", { alpha: false });
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await canvas.convertToBlob({ type: "image/png" });
  return new Uint8Array(await blob.arrayBuffer()).toBase64();
}`;

/** Returns the share of pixels that differ; 2 for pictures of different sizes. */
const DIFFERENCE = `async ([one, other, tolerance]) => {
  const read = async (base64) => {
    const image = new Image();
    image.src = "data:image/png;base64," + base64;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  };
  const [a, b] = [await read(one), await read(other)];
  if (a.width !== b.width || a.height !== b.height) return 2;
  let differing = 0;
  for (let at = 0; at < a.data.length; at += 4) {
    const differs = [0, 1, 2].some((channel) => Math.abs(a.data[at + channel] - b.data[at + channel]) > tolerance);
    if (differs) differing++;
  }
  return differing / (a.width * a.height);
}`;
