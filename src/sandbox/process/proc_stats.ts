// Reads the memory and CPU time of processes. Linux reports them in /proc, which Deno opens only to programs with all
// permissions, so a shell that does nothing else reads them.

export interface Usage {
  /** The private memory of the process in RAM. */
  readonly memoryMb: number;
  /** The CPU time of all its threads together. */
  readonly cpuMs: number;
}

export interface UsageReader {
  /** Returns the usage of a child process; undefined if it is gone, or if there is no /proc. */
  of(pid: number): Promise<Usage | undefined>;
  close(): Promise<void>;
}

/**
 * Answers each process id with a line: the size of a page, then statm and stat (proc_pid_statm(5), proc_pid_stat(5)),
 * in which the name of the process may contain line breaks. It ends with its standard input.
 */
const READ_PROC = `
page=$(getconf PAGESIZE 2>/dev/null || echo 4096)
while read -r pid; do
  memory= times=
  { read -r memory < /proc/$pid/statm
    while read -r line || [ -n "$line" ]; do times="$times $line"; done < /proc/$pid/stat; } 2>/dev/null
  printf '%s %s %s\\n' "$page" "$memory" "$times"
done`;

/** Starts the shell with the first question. */
export function openUsageReader(): UsageReader {
  if (Deno.build.os !== "linux") return { of: () => Promise.resolve(undefined), close: () => Promise.resolve() };
  let shell: UsageReader | undefined;
  return {
    of: (pid) => (shell ??= startShell()).of(pid),
    close: async () => await shell?.close(),
  };
}

function startShell(): UsageReader {
  const shell = new Deno.Command("/bin/sh", {
    args: ["-c", READ_PROC],
    cwd: "/",
    clearEnv: true,
    env: { PATH: "/usr/bin:/bin" },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = shell.stdin.getWriter();
  const encoder = new TextEncoder();
  /** In the order of the questions. */
  const waiting: ((line: string | undefined) => void)[] = [];
  let over = false;
  const answering = (async () => {
    let text = "";
    for await (const piece of shell.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (text + piece).split("\n");
      text = lines.pop()!;
      for (const line of lines) waiting.shift()?.(line);
    }
  })().catch(() => {}).finally(() => {
    over = true;
    for (const answer of waiting.splice(0)) answer(undefined);
  });

  return {
    async of(pid) {
      if (over) return undefined;
      const answered = new Promise<string | undefined>((resolve) => waiting.push(resolve));
      writer.write(encoder.encode(`${pid}\n`)).catch(() => {});
      return parseUsage(await answered);
    },
    async close() {
      await writer.close().catch(() => {});
      await Promise.all([answering, shell.status]);
    },
  };
}

/** Parses a line of the shell above. The kernel counts CPU time in 1/100 s. */
export function parseUsage(line: string | undefined): Usage | undefined {
  const [page, , resident, shared] = (line ?? "").split(" ", 4).map(Number);
  // The name in parentheses may contain anything, but ends at the last closing one.
  const fields = (line ?? "").slice((line ?? "").lastIndexOf(")") + 2).split(" ");
  const memoryMb = (resident! - shared!) * page! / (1 << 20);
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * 10;
  return Number.isFinite(memoryMb) && Number.isFinite(cpuMs) ? { memoryMb, cpuMs } : undefined;
}
