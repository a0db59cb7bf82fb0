// What a handler of the forgery and descriptor families has at hand: frames of the protocol, written past the
// worker's own code. Text that is put in front of an attack.

/** Finds `workers`, the address of the folder of the worker's code, which only a stack trace names. */
const WORKERS = `
let stack;
console.debug("%s", { toString: () => (stack ??= new Error().stack, "") });
const [workers] = /file:[^ (]+[/]workers[/]/.exec(stack);
`;

/**
 * `own.writer` is the worker's own writer of frames: its `send(type, id, payload, body?)` sends
 * any frame between those of the worker, and `drained()` settles when the host has taken them.
 */
export const OWN_WRITER = `
${WORKERS}
const { FrameWriter } = await import(new URL("../src/sandbox/wire/protocol.ts", workers));
const own = {};
for (const name of ["send", "sendAtOnce"]) {
  const method = FrameWriter.prototype[name];
  FrameWriter.prototype[name] = function (...frame) {
    own.writer = this;
    return method.apply(this, frame);
  };
}
console.debug("This gets the writer to show itself.");
`;

/**
 * `frame(type, id, payload, body?)` builds one; `rpc` is the resource of this process's socket to the host, `write`
 * puts bytes on it; `answers` collects what the host answers to questions that nobody here asked properly.
 */
export const RAW_FRAMES = `
const { core } = Deno[Deno.internal];
const encoder = new TextEncoder();
const frame = (type, id, payload = "", body = new Uint8Array()) => {
  const text = typeof payload === "string" ? encoder.encode(payload) : payload;
  const bytes = new Uint8Array(13 + text.length + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 4 + text.length + body.length, true);
  view.setUint8(4, type);
  view.setUint32(5, id, true);
  view.setUint32(9, text.length, true);
  bytes.set(text, 13);
  bytes.set(body, 13 + text.length);
  return bytes;
};
const rpc = () => Number(Object.entries(core.resources()).find(([, name]) => name === "unixStream")[0]);
const write = (bytes) => core.writeAll(rpc(), bytes);
const answers = globalThis.answers ??= [];
const seen = globalThis.seenIds ??= [];
// The worker looks up every frame's invocation in a table of its own: here the answers to forged questions pass by.
if (!globalThis.tapped) {
  globalThis.tapped = true;
  ${WORKERS}
  const { IdTable } = await import(new URL("../src/sandbox/wire/id_table.ts", workers));
  const get = IdTable.prototype.get;
  IdTable.prototype.get = function (key) {
    const found = get.call(this, key);
    if (found?.receiveAnswer && !seen.includes(key)) seen.push(key);
    const receiveAnswer = (payload) => {
      answers.push([key, ...payload]);
      // The worker knows of its own questions only.
      if (payload[0] < 1_000_000) found?.receiveAnswer(payload);
    };
    return {
      receiveAnswer,
      receiveBody: (bytes) => found?.receiveBody(bytes),
      endBody: () => found?.endBody(),
      abort: () => found?.abort(),
      receiveCredit: (bytes) => found?.receiveCredit(bytes),
    };
  };
}
/** Resolves when the host has answered so many forged questions. */
const answered = async (count) => { for (let i = 0; i < 400 && answers.length < count; i++) await new Promise((r) => setTimeout(r, 5)); };
`;
