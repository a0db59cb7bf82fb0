// Stack traces as the author of a handler wants them: without the frames of the program that called it.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Takes the frames of files in `appDir` out of a text, and with them what only leads from one to the next: Deno's
 * frame of an AsyncLocalStorage, and what `Deno.inspect` says instead of frames that an error and its cause share.
 */
export function withoutFramesOf(appDir: string): (text: string) => string {
  const address = pathToFileURL(join(appDir, "/")).href;
  const own = `\\n *at (?:[^\\n(]* )?\\(?${RegExp.escape(address)}[^\\n]*?:\\d+:\\d+\\)?`;
  const between = "\\n *at AsyncLocalStorage\\.run \\(ext:[^\\n)]*\\)|\\n *\\.\\.\\. \\d+ lines matching cause[^\\n]*";
  const frames = new RegExp(`${own}(?:${own}|${between})*`, "g");
  return (text) => text.includes(address) ? text.replace(frames, "") : text;
}
