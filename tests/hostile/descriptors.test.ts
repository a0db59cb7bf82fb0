// Descriptors: sockets, pipes and files of its own process that a handler adopts, listens on or writes to.

import assert from "node:assert/strict";
import { withArena } from "./arena.ts";
import { RAW_FRAMES } from "./raw_frames.ts";

const LAST = 64;
const FORGED = `frame(71, 1, '[1,"complete","SECRET",null]')`;

const ATTACKS: Record<string, string> = {
  adopt:
    `for (const fd of fds) one(fd, () => { const s = new net.Socket({ fd, readable: true, writable: true }); keep.push(s);
      s.on("error", () => {}); s.on("data", (b) => heard.push(String(b))); return s.constructor.name })`,
  adoptAndAsk: `for (const fd of fds) one(fd, () => { const s = new net.Socket({ fd, writable: true }); keep.push(s);
      s.on("error", () => {}); s.on("data", (b) => heard.push(String(b))); s.write(${FORGED}); return "written" })`,
  adoptAndSpeakHttp:
    `for (const fd of fds) one(fd, () => { const s = new net.Socket({ fd, writable: true }); keep.push(s);
      s.on("error", () => {}); s.on("data", (b) => heard.push(String(b)));
      s.write("GET /api/secrets?includeValues=true HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"); return "written" })`,
  adoptAndEnd:
    `for (const fd of fds) one(fd, () => { const s = new net.Socket({ fd }); s.on("error", () => {}); s.destroy(); return "ended" })`,
  listenHttp:
    `for (const fd of fds) await oneAsync(fd, () => new Promise((y, n) => { const s = http.createServer((q, r) => r.end("forged"));
      s.on("error", n); s.listen({ fd }, () => { keep.push(s); y("LISTENING") }) }))`,
  listen:
    `for (const fd of fds) await oneAsync(fd, () => new Promise((y, n) => { const s = net.createServer((k) => k.end("forged"));
      s.on("error", n); s.listen({ fd }, () => { keep.push(s); y("LISTENING") }) }))`,
  readFiles:
    `for (const fd of fds.filter((fd) => fd > 2)) one(fd, () => { const b = Buffer.alloc(4096); const n = fs.readSync(fd, b, 0, 4096, 0); heard.push(b.toString("latin1", 0, n)); return "READ" })`,
  readVector:
    `for (const fd of fds.filter((fd) => fd > 2)) one(fd, () => { const b = Buffer.alloc(4096); const n = fs.readvSync(fd, [b], 0); heard.push(b.toString("latin1", 0, n)); return "READ" })`,
  readStream:
    `for (const fd of fds.filter((fd) => fd > 2)) one(fd, () => { const s = fs.createReadStream("", { fd, autoClose: false }); s.on("error", () => {}); s.on("data", (b) => heard.push(String(b))); return "opened" })`,
  writeFiles:
    `for (const fd of fds.filter((fd) => fd > 2)) one(fd, () => { fs.writeSync(fd, ${FORGED}); return "WRITTEN" })`,
  truncate:
    `for (const fd of fds.filter((fd) => fd > 2)) one(fd, () => { fs.ftruncateSync(fd, 0); return "TRUNCATED" })`,
  chmod: `for (const fd of fds.filter((fd) => fd > 2)) one(fd, () => { fs.fchmodSync(fd, 0o777); return "CHANGED" })`,
  stat: `for (const fd of fds.filter((fd) => fd > 2)) one(fd, () => { fs.fstatSync(fd); return "STAT" })`,
  terminal: `for (const fd of fds) one(fd, () => { keep.push(new tty.WriteStream(fd)); return "TERMINAL" })`,
  terminalIn: `for (const fd of fds) one(fd, () => { keep.push(new tty.ReadStream(fd)); return "TERMINAL" })`,
  resources:
    `for (const [rid, name] of Object.entries(core.resources())) one(rid, () => { core.writeSync(+rid, ${FORGED}); return name })`,
  print:
    `for (const text of [${FORGED}, "Listening on http://127.0.0.1:1\\n"]) { core.print(String(text), false); core.print(String(text), true);
      fs.writeSync(1, text); fs.writeSync(2, text); process.stdout.write(text); process.stderr.write(text); Deno.stdout.writeSync(Buffer.from(text)); Deno.stderr.writeSync(Buffer.from(text)) }`,
  closeResources:
    `for (const [rid] of Object.entries(core.resources())) one(rid, () => { core.close(+rid); return "closed" })`,
  closeFiles: `for (const fd of fds) one(fd, () => { fs.closeSync(fd); return "closed" })`,
  stdin: `Deno.stdin.close(); process.stdin.destroy?.()`,
  datagram:
    `const { createSocket } = await import("node:dgram"); for (const fd of fds) await oneAsync(fd, () => new Promise((y, n) => {
      const s = createSocket("udp4"); s.on("error", n); s.bind({ fd }, () => { keep.push(s); y("BOUND") }); setTimeout(() => n(new Error("late")), 20) }))`,
  pipes:
    `const { Pipe, constants } = process.binding("pipe_wrap"); for (const fd of fds) one(fd, () => { const p = new Pipe(constants.SERVER); const e = p.open(fd); if (e) throw new Error(String(e));
      const l = p.listen(5); if (l) throw new Error("listen " + l); keep.push(p); return "LISTENING" })`,
  tcpHandles:
    `const { TCP, constants } = process.binding("tcp_wrap"); for (const fd of fds) one(fd, () => { const p = new TCP(constants.SERVER); const e = p.open(fd); if (e) throw new Error(String(e));
      const l = p.listen(5); if (l) throw new Error("listen " + l); keep.push(p); return "LISTENING" })`,
};

/** What /proc calls the open descriptors of a process. */
function descriptors(pid: number): Map<number, string> {
  const found = new Map<number, string>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/fd`)) {
    try {
      found.set(Number(name), Deno.readLinkSync(`/proc/${pid}/fd/${name}`));
    } catch {
      // Closed meanwhile.
    }
  }
  return found;
}

Deno.test("descriptors adopted, listened on, read, written and closed", () =>
  withArena("descriptors", async (arena) => {
    const { server } = arena;
    const id = await arena.deploy(
      "adopter",
      `${RAW_FRAMES}
      import net from "node:net"; import http from "node:http"; import fs from "node:fs"; import tty from "node:tty";
      const keep = globalThis.keptHandles ??= [], heard = globalThis.heard ??= [];
      const fds = Array.from({ length: ${LAST + 1} }, (_, fd) => fd);
      process.on("uncaughtException", () => {});
      export default async (c, ctx) => {
        const did = {};
        const one = (fd, act) => { try { did[fd] = act() } catch (e) { did[fd] = String(e).slice(0, 80) } };
        const oneAsync = async (fd, act) => { try { did[fd] = await act() } catch (e) { did[fd] = String(e).slice(0, 80) } };
        switch (ctx.query.attack) {
          ${Object.entries(ATTACKS).map(([name, code]) => `case "${name}": { ${code}; break }`).join("\n")}
          default: return new Response("plain");
        }
        await new Promise((resolve) => setTimeout(resolve, 30));
        return Response.json({ did, heard });
      }`,
      { fields: { timeoutMs: 5_000 } },
    );
    assert.equal((await arena.call("adopter")).body, "plain");
    // A process shares no socket with the host or another sandbox, and has none of the data open.
    const [pid] = arena.sandboxes("adopter");
    const shared = new Set(
      [server.pid, ...arena.sandboxes("innocent")].flatMap((other) => [...descriptors(other).values()])
        .filter((target) => target.startsWith("socket:")),
    );
    assert.ok(shared.size > 0);
    for (const [fd, target] of descriptors(pid!)) {
      arena.count();
      if (shared.has(target)) arena.gained("inherited", `${fd} ${target}`);
      if (target.startsWith(server.dataDir) || target.startsWith(server.codeDir)) {
        arena.gained("inherited", `${fd} ${target}`);
      }
      // What is open for writing and outlives the process would be a way to others.
      if (!target.startsWith("/") || target === "/dev/null") continue;
      const flags = Number(/^flags:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${pid}/fdinfo/${fd}`))![1]);
      if ((flags & 3) !== 0 && Deno.uid() === 0) arena.gained("writable", `${fd} ${target}`);
    }

    const outcomes: Record<string, string> = {};
    for (const attack of Object.keys(ATTACKS)) {
      arena.count(LAST + 1);
      const { status, body } = await arena.call("adopter", { query: `?attack=${attack}` });
      outcomes[attack] = String(status);
      assert.ok([200, 500, 502, 503, 504].includes(status), `${attack}: ${status}`);
      if (status === 200) {
        for (const [fd, what] of Object.entries(body.did as Record<string, string>)) {
          // All capitals: what must not work on any descriptor; a terminal is what it may call its own three.
          if (/^[A-Z]+$/.test(what) && !(what === "TERMINAL" && Number(fd) <= 2)) arena.gained(`${attack} ${fd}`, what);
        }
      }
      // Each on a new process, and none taken for one that keeps dying.
      assert.equal((await server.api("PUT", `/api/functions/${id}`, { description: attack })).status, 200);
      assert.equal((await arena.call("adopter")).body, "plain", attack);
    }
    // The attacks are real: the socket to the host can be adopted and broken, and that is felt.
    assert.ok(Object.values(outcomes).some((status) => status !== "200"), JSON.stringify(outcomes));
    assert.equal(server.logs().match(/^Listening on /gm)?.length, 1, "what a handler prints is not the server's word");

    // By the socket to the host it may ask for what it may have anyway, and nothing else.
    const mine = await arena.plantHolder("mine");
    await arena.deploy(
      "asker",
      `${RAW_FRAMES}
      export default async (c, ctx) => {
        await ctx.getSecret("NOTHING");
        const [current] = seen; answers.length = 0;
        const names = ["SECRET", "INNOCENT", "mine", "innocent"];
        for (const [n, name] of names.entries()) await write(frame(71, current, JSON.stringify([7e6 + n, "complete", name, null])));
        await answered(names.length);
        return Response.json({ raw: answers, proper: await Promise.all(names.map((name) => ctx.getCompleteSecret(name).then((v) => v ?? null))) });
      }`,
      { fields: { keys: [mine.groupId] } },
    );
    arena.count(4);
    const { body } = await (async () => {
      const response = await fetch(`${server.url}/run/asker`, { headers: { "X-API-Key": mine.key } });
      assert.equal(response.status, 200, server.logs().slice(-1_500));
      return { body: await response.json() };
    })();
    const raw = body.raw.sort((a: number[], b: number[]) => a[1]! - b[1]!).map(([, , , value]: unknown[]) =>
      value ?? null
    );
    assert.deepEqual(raw.slice(0, 4), body.proper);
    assert.match(JSON.stringify(body), /planted-mine-key/);
    if (/planted-innocent/.test(JSON.stringify(body))) arena.gained("asker", "an innocent's value");
  }));
