// Keeps the memory of this process, with its keys and secrets in clear, out of core dumps (core(5)).

/**
 * A dump to a file is refused by the limit. One that the kernel pipes to a program ignores the limit; the filter
 * leaves the memory out of it. Both are inherited by what this process starts.
 */
const PREVENT = `echo 0 > "/proc/$1/coredump_filter" && exec prlimit --pid "$1" --core=0:0`;

/** Prevents core dumps; returns a sentence for the operator if that cannot be done here. */
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
