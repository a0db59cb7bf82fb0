// Implements `crude login`, `logout` and `profiles`: which servers a user is signed in to.

import { serverUrl } from "../base/address.ts";
import { Client } from "../base/client.ts";
import type { Command, Context } from "../base/command.ts";
import { wrongUsage } from "../base/errors.ts";
import { credentialOf } from "../base/connect.ts";
import { type Profile, PROFILE_NAME } from "../base/profiles.ts";
import { table } from "../base/text.ts";

const login: Command = {
  name: "login",
  positionals: [{ name: "URL" }],
  options: {
    key: { type: "boolean", help: "sign in with an API key, from a hidden prompt" },
  },
  help: [
    "Sign in to a server.",
    "A key of a group that may use the API is read from standard input if that is not a terminal, or from a hidden",
    "prompt. It is kept in a file that only you can read. --profile names the profile; by default, the server's host.",
  ],
  async run(context, given) {
    const url = serverUrl(given.at(0), "URL");
    const name = given.text("profile") ?? new URL(url).host;
    if (!PROFILE_NAME.test(name)) throw wrongUsage("--profile must be letters, digits and . : @ _ -");
    const profile: Profile = { url, credential: credentialOf(await readKey(context)) };
    await verify(context, profile);
    context.profiles.put(name, profile);
    return {
      json: { profile: name, url, kind: profile.credential.kind },
      lines: [`Signed in to ${url}; the profile is "${name}".`],
    };
  },
};

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
  help: ["Forget a profile, by default the current one.", "An API key stays valid; revoke it with keys revoke."],
  // deno-lint-ignore require-await
  async run({ profiles }, given) {
    const name = given.positionals[0] ?? given.text("profile") ?? profiles.read().current;
    if (name === undefined) throw wrongUsage("You are not signed in.");
    const { url } = profiles.remove(name);
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
