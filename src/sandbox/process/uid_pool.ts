// Assigns user ids to sandbox processes, and builds the arguments of the program that switches to them.

/** systemd reserves this range for such uses (systemd.io/UIDS-GIDS). */
const FIRST_UID = 61_184;
const UIDS = 4_096;
/** One of them, for trials before there are sandboxes. */
export const SANDBOX_UID = FIRST_UID;

/**
 * Bits of capabilities(7): to give a folder to another user (CHOWN), remove what that user wrote there (DAC_OVERRIDE),
 * kill the user's processes (KILL), and become the user (SETGID, SETUID). A container may have taken any of them from root.
 */
const REQUIRED_CAPABILITIES = [0, 1, 5, 6, 7];

/** The kernel kills the process with its parent, and the process gains no rights by running other programs. */
const HOLD = ["--no-new-privs", "--pdeathsig", "KILL"];

/** Returns the arguments of setpriv(1) for a sandbox that runs as `uid`, or as the server's own user. */
export function setprivArgs(uid: number | undefined): string[] {
  if (uid === undefined) return HOLD;
  return [...HOLD, `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--inh-caps=-all"];
}

/** Reports whether the text of `/proc/PID/status` shows every capability that a user for each sandbox requires. */
export function mayAssignUsers(status: string): boolean {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return REQUIRED_CAPABILITIES.every((bit) => (effective >> BigInt(bit) & 1n) === 1n);
}

/**
 * Returns what setpriv at `path` can do here: nothing (too old, or another implementation), `hold` processes, or
 * `switch` users as well, which requires root with all of the capabilities for it.
 */
export async function trySetpriv(path: string): Promise<"nothing" | "hold" | "switch"> {
  const works = async (args: string[]): Promise<boolean> => {
    const command = new Deno.Command(path, { args: [...args, "/bin/sh", "-c", ":"], stdin: "null" });
    return (await command.output()).success;
  };
  if (Deno.uid() === 0 && mayAssignUsers(await ownStatus()) && await works(setprivArgs(FIRST_UID))) return "switch";
  return await works(setprivArgs(undefined)) ? "hold" : "nothing";
}

/** Returns `/proc/PID/status` of a child, which has the rights of this process. Deno itself may not read it. */
async function ownStatus(): Promise<string> {
  // By the shell alone, wherever other programs are.
  const print = 'while read -r line; do echo "$line"; done < /proc/self/status';
  const command = new Deno.Command("/bin/sh", { args: ["-c", print], stdin: "null" });
  return new TextDecoder().decode((await command.output()).stdout);
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
