// Main thread of a sandbox process: starts the one worker that runs the handler, and ends the process
// with it or with the host. Takes no part in calls: the worker speaks with the host itself.

/** What the host passes as the only argument, in JSON. */
interface Task {
  /** Path of the host's socket. */
  socket: string;
  /** Path of the folder with copies of the files that the handler's code consists of, and nothing else. */
  code: string;
  importHosts: string[];
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
  read: [task.socket, task.code],
  run: false,
  sys: false,
  write: [task.socket],
};

const worker = new Worker(new URL("./bootstrap.ts", import.meta.url), {
  type: "module",
  name: "handler",
  deno: { permissions },
});

worker.addEventListener("error", (event) => {
  event.preventDefault();
  console.error(event.message);
  Deno.exit(1);
});
worker.postMessage(task.socket);

// The host holds the other end of standard input and never writes to it: an end means that the host is gone.
const byte = new Uint8Array(1);
while (await Deno.stdin.read(byte) !== null);
Deno.exit(0);
