// Implements `crude login`, `logout` and `profiles`: which servers a user is signed in to.

import { requireSecure, serverUrl } from "../base/address.ts";
import { openInBrowser } from "../base/browser.ts";
import { signInByBrowser } from "../base/browser_sign_in.ts";
import { Client } from "../base/client.ts";
import type { Command, Context } from "../base/command.ts";
import { credentialOf } from "../base/connect.ts";
import { CrudeError, EXIT, messageOf, wrongUsage } from "../base/errors.ts";
import { type Profile, PROFILE_NAME } from "../base/profiles.ts";
import { table } from "../base/text.ts";

const login: Command = {
  name: "login",
  positionals: [{ name: "URL" }],
  options: {
    key: { type: "boolean", help: "sign in with an API key, from a hidden prompt" },
    "no-browser": { type: "boolean", help: "print the address of the page instead of opening it" },
  },
  help: [
    "Sign in to a server.",
    "In a terminal, you approve it in the browser, as a user of the admin pages. With --key, or if standard input is not",
    "a terminal, an API key of a group that may use the API is read. What is kept is in a file that only you can read.",
    "--profile names the profile; by default, it is the server's host.",
  ],
  async run(context, given) {
    const url = serverUrl(given.at(0), "URL");
    requireSecure(url);
    const name = given.text("profile") ?? new URL(url).host;
    if (!PROFILE_NAME.test(name)) throw wrongUsage("--profile must be letters, digits and . : @ _ -");
    const isKey = given.flag("key") || !context.terminal.isInputTerminal;
    const profile = isKey
      ? { url, credential: credentialOf(await readKey(context)) }
      : await approved(context, url, !given.flag("no-browser"));
    await verify(context, profile);
    context.profiles.put(name, profile);
    const who = profile.email === undefined ? "" : ` as ${profile.email}`;
    return {
      json: { profile: name, url, kind: profile.credential.kind, ...(profile.email && { email: profile.email }) },
      lines: [`Signed in to ${url}${who}; the profile is "${name}".`],
    };
  },
};

async function approved({ version, terminal, json }: Context, url: string, isOpened: boolean): Promise<Profile> {
  if (!terminal.isInteractive || json) throw wrongUsage("Sign in with --key where nothing can be shown on a terminal.");
  const { session, email, expiresAt } = await signInByBrowser({
    url,
    version,
    onReady: (page, code) => {
      terminal.show(`Type this code on the page that opens in your browser: ${code}`);
      terminal.show(`If it does not open, it is here: ${page}`);
      if (isOpened) openInBrowser(page);
    },
  });
  return { url, credential: { kind: "session", value: session }, email, expiresAt };
}

async function readKey({ terminal }: Context): Promise<string> {
  const text = terminal.isInputTerminal
    ? await terminal.askHidden("API key")
    : new TextDecoder().decode(await terminal.readInput());
  const key = text.trim();
  if (key === "") throw wrongUsage("There is no API key on standard input.");
  if (!/^[\x21-\x7e]+$/.test(key)) throw wrongUsage("An API key has visible ASCII characters only, without spaces.");
  return key;
}

/** Asks the server whether the credential may manage it, before it is kept. */
async function verify({ version }: Context, { url, credential }: Profile): Promise<void> {
  await new Client({ url, credential, version }).get("/api/key-groups");
}

const logout: Command = {
  name: "logout",
  positionals: [{ name: "PROFILE", optional: true }],
  help: [
    "Forget a profile, by default the current one, and end its session.",
    "An API key stays valid; revoke it with keys revoke.",
  ],
  async run({ profiles, version, note }, given) {
    const name = given.positionals[0] ?? given.text("profile") ?? profiles.read().current;
    if (name === undefined) throw wrongUsage("You are not signed in.");
    const { url, credential } = profiles.remove(name);
    if (credential.kind === "session") {
      const client = new Client({ url, credential, version });
      await client.delete("/api/sessions/current").catch((error) => {
        // Otherwise it has ended before.
        if (!(error instanceof CrudeError && error.exitCode === EXIT.denied)) {
          note(`The session could not be ended, and is valid until it expires: ${messageOf(error)}`);
        }
      });
    }
    return { json: { profile: name, url }, lines: [`Signed out of ${url}.`] };
  },
};

const list: Command = {
  name: "profiles list",
  help: ["List the servers that you are signed in to."],
  // deno-lint-ignore require-await
  async run({ profiles }) {
    const { current, profiles: known } = profiles.read();
    const rows = [...known].map(([name, { url, credential, email, expiresAt }]) => ({
      name,
      url,
      kind: credential.kind,
      current: name === current,
      ...(email !== undefined && { email }),
      ...(expiresAt !== undefined && { expiresAt }),
    }));
    const lines = table(
      ["", "PROFILE", "SERVER", "WITH"],
      rows.map(({ name, url, kind, current, email }) => [current ? "*" : "", name, url, email ?? kind]),
    );
    return { json: { profiles: rows }, lines: rows.length > 0 ? lines : ["You are not signed in."] };
  },
};

const use: Command = {
  name: "profiles use",
  positionals: [{ name: "PROFILE" }],
  help: ["Choose the profile that commands use by default."],
  // deno-lint-ignore require-await
  async run({ profiles }, given) {
    profiles.use(given.at(0));
    return { json: { profile: given.at(0) }, lines: [`The profile is "${given.at(0)}".`] };
  },
};

export const signInCommands: readonly Command[] = [login, logout, list, use];
