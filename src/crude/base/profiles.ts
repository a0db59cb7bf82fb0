// Stores the servers that a user is signed in to: ~/.config/crude/profiles.json, which only the user can read.

import { chmodSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { randomBytes } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { CrudeError, messageOf, wrongUsage } from "./errors.ts";

export const PROFILE_NAME = /^[\w.:@-]{1,100}$/;

/** What proves who asks: the value of an API key, or the token of an admin's session. */
export interface Credential {
  readonly kind: "key" | "session";
  readonly value: string;
}

export interface Profile {
  /** The origin of the server. */
  readonly url: string;
  readonly credential: Credential;
  /** Whose session it is. */
  readonly email?: string;
  /** When the session ends at the latest, ISO 8601. */
  readonly expiresAt?: string;
}

export interface ProfileList {
  readonly current: string | undefined;
  readonly profiles: ReadonlyMap<string, Profile>;
}

export interface Profiles {
  readonly path: string;
  /** @throws CrudeError if the file is not one of this program */
  read(): ProfileList;
  /** Adds or replaces a profile and makes it the current one. */
  put(name: string, profile: Profile): void;
  use(name: string): void;
  /** Removes a profile and returns it. @throws CrudeError if there is none */
  remove(name: string): Profile;
}

/**
 * Writes a file that only the user can read, in place of the one that is there: others may have that one open. What is no
 * file, such as a pipe or a terminal, is written to.
 */
export function writePrivateFile(path: string, content: string): void {
  const present = statSync(path, { throwIfNoEntry: false });
  if (present && !present.isFile()) return writeFileSync(path, content);
  const target = present ? realpathSync(path) : path;
  const temporary = join(dirname(target), `.${basename(target)}-${randomBytes(6).toString("hex")}`);
  try {
    writeFileSync(temporary, content, { mode: 0o600, flag: "wx" });
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** `folder` is absolute, such as `/home/ada/.config/crude`. */
export function createProfiles(folder: string): Profiles {
  const path = join(folder, "profiles.json");

  const read = (): ProfileList => {
    let text: string;
    try {
      text = readFileSync(path, "utf8");
      // Others on the machine could have read it: at least they cannot from now on.
      if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    } catch (error) {
      if ((error as { code?: string }).code === "ENOENT") return { current: undefined, profiles: new Map() };
      throw new CrudeError(`${path} cannot be read: ${messageOf(error)}`);
    }
    return parse(text, path);
  };

  const write = ({ current, profiles }: ProfileList): void => {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const text = JSON.stringify({ format: 1, current, profiles: Object.fromEntries(profiles) }, null, 2);
    writePrivateFile(path, `${text}\n`);
  };

  const required = (list: ProfileList, name: string): Profile => {
    const profile = list.profiles.get(name);
    if (!profile) throw wrongUsage(`There is no profile "${name}". "crude profiles list" shows those that exist.`);
    return profile;
  };

  return {
    path,
    read,
    put(name, profile) {
      const { profiles } = read();
      write({ current: name, profiles: new Map([...profiles, [name, profile]]) });
    },
    use(name) {
      const list = read();
      required(list, name);
      write({ ...list, current: name });
    },
    remove(name) {
      const list = read();
      const profile = required(list, name);
      const profiles = new Map([...list.profiles].filter(([other]) => other !== name));
      const current = list.current === name ? [...profiles.keys()][0] : list.current;
      write({ current, profiles });
      return profile;
    },
  };
}

function parse(text: string, path: string): ProfileList {
  try {
    const { format, current, profiles } = JSON.parse(text);
    if (format !== 1 || typeof profiles !== "object") throw new Error("it has another format");
    const entries = Object.entries(profiles as Record<string, Profile>);
    for (const [name, { url, credential }] of entries) {
      if (typeof url !== "string" || typeof credential?.value !== "string") throw new Error(`"${name}" is incomplete`);
    }
    return { current: typeof current === "string" ? current : undefined, profiles: new Map(entries) };
  } catch (error) {
    throw new CrudeError(`${path} is not a file of crude: ${messageOf(error)}. Remove it and sign in again.`);
  }
}
