// The user ids that sandbox processes run as, and the program that switches to them.

/** systemd keeps this range free for the like (systemd.io/UIDS-GIDS). */
const FIRST_UID = 61_184;
const UIDS = 4_096;
/** One of them, to try things with before there are sandboxes. */
export const SANDBOX_UID = FIRST_UID;

/** The kernel ends the process with its parent, and it gains nothing by running other programs. */
const HOLD = ["--no-new-privs", "--pdeathsig", "KILL"];

/** Arguments of setpriv(1) for a sandbox that runs as `uid`, or as the server's own user. */
export function setprivArgs(uid: number | undefined): string[] {
  if (uid === undefined) return HOLD;
  return [...HOLD, `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--inh-caps=-all"];
}

/**
 * What setpriv at `path` can do here: nothing (too old, or of another make), `hold`, or `switch` users as
 * well, which also takes a root that is allowed to.
 */
export async function trySetpriv(path: string): Promise<"nothing" | "hold" | "switch"> {
  const works = async (args: string[]): Promise<boolean> => {
    const command = new Deno.Command(path, { args: [...args, "/bin/sh", "-c", ":"], stdin: "null" });
    return (await command.output()).success;
  };
  if (Deno.uid() === 0 && await works(setprivArgs(FIRST_UID))) return "switch";
  return await works(setprivArgs(undefined)) ? "hold" : "nothing";
}

const inUse = new Set<number>();
let last = 0;

/** A user id that no living sandbox of this server has; to be given back when its process is gone. */
export function takeUid(): number {
  if (inUse.size >= UIDS) throw new Error("every user id for sandboxes is in use");
  do last = (last + 1) % UIDS; while (inUse.has(FIRST_UID + last));
  inUse.add(FIRST_UID + last);
  return FIRST_UID + last;
}

export function giveBackUid(uid: number): void {
  inUse.delete(uid);
}
