// Runs the main thread of a sandbox process: starts the worker that runs the handler, and ends the process with the
// worker or the host. It takes no part in calls: the worker communicates with the host itself.

/** The only argument, in JSON, from the host. */
interface Task {
  /** The path of the host's socket. */
  socket: string;
  /** The length of the token that the host writes to standard input. */
  tokenBytes: number;
  /** The folder with copies of the handler's code, and the folders of its packages. */
  read: string[];
  importHosts: string[];
  /** The hosts that the function may connect to, if they are listed. */
  hosts: string[];
}

const task: Task = JSON.parse(Deno.args[0]!);

// Every permission is listed. An omitted one would be denied, but a list that is null would inherit everything that the
// process has.
const permissions: Deno.PermissionOptionsObject = {
  env: false,
  ffi: false,
  import: task.importHosts,
  // Exactly what the host's flags allow and deny to this process.
  net: "inherit",
  // Connecting to a Unix socket requires read and write. The host removes the socket and its folder once it has
  // accepted the connection, after which these two paths are useless.
  read: [task.socket, ...task.read],
  run: false,
  sys: false,
  write: [task.socket],
};

// A worker's relative URLs are resolved against its own. With this one they are invalid, instead of resolving to files
// of this machine and revealing their paths.
const entry = new Blob([`import ${JSON.stringify(new URL("./bootstrap.ts", import.meta.url))};`], {
  type: "text/javascript",
});
const worker = new Worker(URL.createObjectURL(entry), {
  type: "module",
  name: "handler",
  deno: { permissions },
});

worker.addEventListener("error", (event) => {
  event.preventDefault();
  console.error(event.message);
  Deno.exit(1);
});

// The worker authenticates to the host with it. Another process that finds the socket does not have the token.
const token = new Uint8Array(task.tokenBytes);
for (let length = 0; length < token.length;) length += await readStdin(token.subarray(length));
worker.postMessage({ socket: task.socket, token, hosts: task.hosts });

// The host writes nothing else to standard input and holds the other end: its end means that the host is gone.
const byte = new Uint8Array(1);
while (true) await readStdin(byte);

/** Reads at least one byte. Ends the process at the end of standard input. */
async function readStdin(into: Uint8Array): Promise<number> {
  return await Deno.stdin.read(into) ?? Deno.exit(0);
}
