import { connects, dataFolder, disposeAll, freePort, type Service, startDaemon } from "./service.ts";

/** Chromium without a window, driven over its DevTools protocol. */
export async function startBrowser(): Promise<Service> {
  const folder = await dataFolder("chromium");
  const port = await freePort();
  const daemon = await startDaemon({
    // Not the script of that name in /usr/bin: a signal would end the script alone.
    program: "/usr/lib/chromium/chromium-headless-shell",
    debianPackage: "chromium-headless-shell",
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
      ...[`--remote-debugging-port=${port}`, `--user-data-dir=${folder}`],
    ],
    probe: () => connects(port),
  });
  const version = await (await fetch(`http://127.0.0.1:${port}/json/version`))
    .json();
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { BROWSER_URL: version.webSocketDebuggerUrl },
    [Symbol.asyncDispose]: () => disposeAll([daemon], folder),
  };
}
