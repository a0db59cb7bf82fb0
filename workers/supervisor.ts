// Main thread of a sandbox process: starts the one worker that runs the handler, and ends the process
// with it or with the host. Takes no part in calls: the worker speaks with the host itself.

/** What the host passes as the only argument, in JSON. */
interface Task {
  /** Path of the host's socket. */
  socket: string;
  /** Length of the token that the host writes to standard input. */
  tokenBytes: number;
  /** The folder with copies of the files that the handler's code consists of, and those of its packages. */
  read: string[];
  importHosts: string[];
  /** The hosts that the function may connect to, if they are listed. */
  hosts: string[];
}

const task: Task = JSON.parse(Deno.args[0]!);

// Every permission is named: one left out would be denied, but a list that is null would inherit
// everything the process has.
const permissions: Deno.PermissionOptionsObject = {
  env: false,
  ffi: false,
  import: task.importHosts,
  // Exactly what the host gave this process by its flags, with what they deny.
  net: "inherit",
  // Connecting a Unix socket asks for read and write. The host removes the socket and its folder
  // once it has accepted, so that afterwards these two paths are worth nothing.
  read: [task.socket, ...task.read],
  run: false,
  sys: false,
  write: [task.socket],
};

// A worker's relative addresses are resolved against its own. Against this one none can be: they are invalid, instead
// of leading to files of this machine and showing their paths.
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

// The worker proves with it that it connects for this process. Another process that finds the socket does not have it.
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
