// What a browser does for an admin, without one: cookies kept, forms posted from the server's own pages.

import assert from "node:assert/strict";
import { fetchWithLease, type Server } from "./server.ts";

export const ADMIN = { name: "Ada", email: "ada@example.com", password: "a long enough password" };

export interface Page {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export class Visitor {
  /** `headers` go with every request. */
  constructor(
    readonly url: string,
    readonly headers: Record<string, string> = {},
    readonly cookies: Map<string, string> = new Map(),
  ) {}

  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  async request(method: string, path: string, init: RequestInit = {}): Promise<Page> {
    const headers = new Headers({ ...this.headers, Cookie: this.cookie });
    if (method !== "GET" && method !== "HEAD") headers.set("Origin", this.url);
    new Headers(init.headers).forEach((value, name) => headers.set(name, value));
    const response = await fetchWithLease(this.url + path, { redirect: "manual", method, ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === "") this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
    return { status: response.status, headers: response.headers, text: await response.text() };
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Page> {
    return this.request("GET", path, { headers });
  }

  post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}): Promise<Page> {
    return this.request("POST", path, { body: new URLSearchParams(fields), headers });
  }

  /** Posts a form and opens the page that it leads to. */
  async submit(path: string, fields: Record<string, string>): Promise<Page> {
    const answer = await this.post(path, fields);
    return answer.status === 303 ? await this.get(answer.headers.get("location")!) : answer;
  }

  /** Returns the version that the form of a page was filled from. */
  async versionOn(path: string): Promise<string> {
    const { text } = await this.get(path);
    const found = /name="version" value="([^"]*)"/.exec(text);
    if (!found) throw new Error(`${path} has no version`);
    return found[1]!;
  }

  signIn(password = ADMIN.password, email = ADMIN.email): Promise<Page> {
    return this.post("/web/sign-in", { email, password });
  }
}

/** The name of one of the server's cookies: it has the server's port in it. */
export function cookieName(server: Pick<Server, "url">, cookie: "session" | "notice" | "device"): string {
  return `crude_${cookie}_${new URL(server.url).port}`;
}

/** The token of the one-time link that the server has printed. */
export async function setupToken(server: Server): Promise<string> {
  return (await server.logged(/^Create the first user: \S+\/web\/setup\?token=(\S+)$/m))[1]!;
}

/** The fields of the set-up form. */
export async function setupForm(server: Server): Promise<Record<string, string>> {
  return { token: await setupToken(server), ...ADMIN, again: ADMIN.password };
}

/** Creates the first user; a visitor who is signed in as that. */
export async function setUp(server: Server, headers: Record<string, string> = {}): Promise<Visitor> {
  const visitor = new Visitor(server.url, headers);
  const { status, text } = await visitor.post("/web/setup", await setupForm(server));
  assert.equal(status, 303, text);
  return visitor;
}

/** The bytes of a second factor's key, as its page shows it. */
export function fromBase32(text: string): Uint8Array {
  const bits = [...text].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join(
    "",
  );
  return Uint8Array.from(bits.match(/.{8}/g)!, (byte) => parseInt(byte, 2));
}
