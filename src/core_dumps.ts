// Keeps the memory of this process, which contains keys and decrypted secrets, out of core dumps (core(5)).

/**
 * The limit prevents dumps to files. Dumps that the kernel pipes to a program ignore the limit; the filter excludes the
 * memory from those. Both are inherited by child processes.
 */
const PREVENT = `echo 0 > "/proc/$1/coredump_filter" && exec prlimit --pid "$1" --core=0:0`;

/** Prevents core dumps; returns a sentence for the operator if that is not possible on this machine. */
export function preventCoreDumps(): string | undefined {
  if (Deno.build.os !== "linux" || runPrevention()) return undefined;
  return "Core dumps cannot be turned off here (it takes prlimit(1) of util-linux and /proc): " +
    "one would hold the keys in clear. Start this with `ulimit -c 0` or `LimitCORE=0`.";
}

function runPrevention(): boolean {
  try {
    return new Deno.Command("/bin/sh", {
      args: ["-c", PREVENT, "sh", String(Deno.pid)],
      clearEnv: true,
      env: { PATH: "/usr/bin:/bin:/usr/sbin:/sbin" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync().success;
  } catch {
    // There is no shell.
    return false;
  }
}
