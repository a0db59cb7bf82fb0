// Assigns user ids to sandbox processes, and builds the arguments of the program that switches to them.

/** systemd reserves this range for such uses (systemd.io/UIDS-GIDS). */
const FIRST_UID = 61_184;
const UIDS = 4_096;
/** One of them, for trials before there are sandboxes. */
export const SANDBOX_UID = FIRST_UID;

/** The kernel kills the process with its parent, and the process gains no rights by running other programs. */
const HOLD = ["--no-new-privs", "--pdeathsig", "KILL"];

/** Returns the arguments of setpriv(1) for a sandbox that runs as `uid`, or as the server's own user. */
export function setprivArgs(uid: number | undefined): string[] {
  if (uid === undefined) return HOLD;
  return [...HOLD, `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--inh-caps=-all"];
}

/**
 * Returns what setpriv at `path` can do here: nothing (too old, or another implementation), `hold` processes, or
 * `switch` users as well, which requires root and its permission to do so.
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

/** Takes a user id that no sandbox of this server has. Release it when the process is gone. */
export function takeUid(): number {
  if (inUse.size >= UIDS) throw new Error("every user id for sandboxes is in use");
  do last = (last + 1) % UIDS; while (inUse.has(FIRST_UID + last));
  inUse.add(FIRST_UID + last);
  return FIRST_UID + last;
}

export function releaseUid(uid: number): void {
  inUse.delete(uid);
}
