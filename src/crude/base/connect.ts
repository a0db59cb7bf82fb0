// Chooses the server and the credential of a command: --url and CRUDE_KEY, CRUDE_URL and CRUDE_KEY, or a profile.

import { serverUrl } from "./address.ts";
import { wrongUsage } from "./errors.ts";
import type { Credential, Profiles } from "./profiles.ts";

/** The end of a session's token is followed by others of its kind: this says which credential it is. */
export const SESSION_PREFIX = "crude_session_";

export interface Chosen {
  readonly url: string;
  readonly credential: Credential;
  /** The profile's name, if one was chosen. */
  readonly profile?: string;
}

export interface Choice {
  readonly profile: string | undefined;
  readonly url: string | undefined;
  readonly env: (name: string) => string | undefined;
  readonly profiles: Profiles;
}

export function credentialOf(value: string): Credential {
  return { kind: value.startsWith(SESSION_PREFIX) ? "session" : "key", value };
}

/**
 * A profile that is named decides, then the environment, then the current profile. A key is only sent to the server
 * that it was given for. @throws CrudeError (usage) if there is no credential
 */
export function choose({ profile, url, env, profiles }: Choice): Chosen {
  const list = profiles.read();
  if (profile !== undefined) {
    const found = list.profiles.get(profile);
    if (!found) throw wrongUsage(`There is no profile "${profile}". "crude profiles list" shows those that exist.`);
    if (url !== undefined && serverUrl(url, "--url") !== found.url) {
      throw wrongUsage(`--url is not the address of the profile "${profile}", which is ${found.url}.`);
    }
    return { url: found.url, credential: found.credential, profile };
  }
  const [variable, key] = [env("CRUDE_URL") || undefined, env("CRUDE_KEY") || undefined];
  const wanted = url !== undefined
    ? serverUrl(url, "--url")
    : variable !== undefined
    ? serverUrl(variable, "CRUDE_URL")
    : undefined;
  if (key !== undefined) {
    if (wanted === undefined) throw wrongUsage("CRUDE_KEY is set, but CRUDE_URL, its server, is not.");
    return { url: wanted, credential: credentialOf(key.trim()) };
  }
  const names = [list.current, ...list.profiles.keys()].filter((name) => name !== undefined);
  const name = names.find((name) => {
    const candidate = list.profiles.get(name);
    return candidate !== undefined && (wanted === undefined || candidate.url === wanted);
  });
  if (name === undefined) {
    throw wrongUsage(
      wanted === undefined
        ? 'You are not signed in. Run "crude login URL", or set CRUDE_URL and CRUDE_KEY.'
        : `You are not signed in to ${wanted}. Run "crude login ${wanted}", or set CRUDE_KEY.`,
    );
  }
  const found = list.profiles.get(name)!;
  return { url: found.url, credential: found.credential, profile: name };
}
