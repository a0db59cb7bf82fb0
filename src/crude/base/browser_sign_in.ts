// Signs in by the browser: the user approves this terminal on a page of the server, which passes a one-time code to
// this machine. Only this process can exchange it, because only it knows the verifier (PKCE, RFC 7636; RFC 8252, 7.3).

import { createHash, randomBytes, randomInt } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { hostname } from "node:os";
import { Client } from "./client.ts";
import { CrudeError } from "./errors.ts";

const WAIT_MS = 10 * 60_000;
/** Without vowels and letters that look alike (RFC 8628, 6.1). */
const LETTERS = "BCDFGHJKLMNPQRSTVWXZ";
const CODE_LENGTH = 8;

export interface BrowserSession {
  readonly session: string;
  readonly email: string;
  readonly expiresAt: string;
}

export interface BrowserSignIn {
  readonly url: string;
  readonly version: string;
  /** Is called with the page to open, and the code that the user types there. */
  readonly onReady: (page: string, shortCode: string) => void;
}

/** Resolves once the user has approved. @throws CrudeError if that takes too long, or the server refuses the code */
export async function signInByBrowser({ url, version, onReady }: BrowserSignIn): Promise<BrowserSession> {
  const verifier = randomBytes(32).toString("base64url");
  const challenge = sha256(verifier);
  const state = randomBytes(16).toString("base64url");
  const letters = Array.from({ length: CODE_LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join("");
  const listener = createServer();
  const port = await listen(listener);
  try {
    const page = new URL("/web/terminal", url);
    const proof = sha256(`${challenge}.${letters}`);
    const parameters = { challenge, proof, state, port: String(port), machine: hostname().slice(0, 100) };
    for (const [name, value] of Object.entries(parameters)) page.searchParams.set(name, value);
    onReady(page.href, `${letters.slice(0, 4)}-${letters.slice(4)}`);
    const code = await receive(listener, state);
    const client = new Client({ url, credential: undefined, version });
    const headers = { "User-Agent": `crude/${version} on ${hostname()}`.slice(0, 200) };
    return await client.post("/api/sessions", { code, verifier }, { headers });
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}

function listen(listener: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.on("error", reject);
    listener.listen(0, "127.0.0.1", () => resolve((listener.address() as AddressInfo).port));
  });
}

/** Resolves with the code of the first request that knows the state. Others, of any program here, are refused. */
function receive(listener: Server, state: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new CrudeError("The sign-in was not approved in time. Run crude login again.", { code: "Expired" }));
    }, WAIT_MS);
    listener.on("request", (request, response) => {
      const url = new URL(request.url ?? "/", "http://127.0.0.1");
      const code = url.searchParams.get("code");
      const isRight = url.pathname === "/" && code !== null && url.searchParams.get("state") === state;
      response.writeHead(isRight ? 200 : 404, {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        Connection: "close",
      });
      response.end(isRight ? "Return to the terminal. You can close this page.\n" : "Not found\n", () => {
        if (!isRight) return;
        clearTimeout(timer);
        resolve(code);
      });
    });
  });
}
