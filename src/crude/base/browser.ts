// Opens an address in the system's browser.

import { spawn } from "node:child_process";
import { platform } from "node:os";

/** Starts the browser. Where there is none, nothing happens: the address is printed as well. */
export function openInBrowser(url: string): void {
  const commands: Partial<Record<string, readonly string[]>> = {
    darwin: ["open", url],
    win32: ["rundll32", "url.dll,FileProtocolHandler", url],
  };
  const [program, ...args] = commands[platform()] ?? ["xdg-open", url];
  try {
    const child = spawn(program!, args, { stdio: "ignore", detached: true });
    child.on("error", () => {});
    child.unref();
  } catch {
    // There is no such program, or it may not be run.
  }
}
