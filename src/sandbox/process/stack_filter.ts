// Removes the platform's own frames from stack traces, so that authors of handlers see only theirs.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Returns a function that removes the frames of files in `appDir` from a text, and the lines between them: Deno's frame
 * of an AsyncLocalStorage, and the line that `Deno.inspect` prints for frames that an error and its cause share.
 */
export function withoutFramesOf(appDir: string): (text: string) => string {
  const address = pathToFileURL(join(appDir, "/")).href;
  const own = `\\n *at (?:[^\\n(]* )?\\(?${RegExp.escape(address)}[^\\n]*?:\\d+:\\d+\\)?`;
  const between = "\\n *at AsyncLocalStorage\\.run \\(ext:[^\\n)]*\\)|\\n *\\.\\.\\. \\d+ lines matching cause[^\\n]*";
  const frames = new RegExp(`${own}(?:${own}|${between})*`, "g");
  return (text) => text.includes(address) ? text.replace(frames, "") : text;
}
