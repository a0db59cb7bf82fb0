// Mail about announcements, to real servers: what they refuse, how they fail, and how many mails they get.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { AuditEvent } from "../../src/actor.ts";
import type { Attempt } from "../../src/core/announcements/channel.ts";
import { Deliveries } from "../../src/core/announcements/deliveries.ts";
import { createMailChannel } from "../../src/core/announcements/mail/mail_channel.ts";
import { sendMail } from "../../src/core/announcements/mail/smtp.ts";
import { subscribersIn } from "../../src/core/announcements/subscribers.ts";
import { mailServerAad } from "../../src/keyring/aad.ts";
import { SecretValue } from "../../src/keyring/secret_value.ts";
import { ALONE } from "../../src/once_per_cluster.ts";
import { HOUR_MS } from "../../src/time.ts";
import { CA, type MailHost, openMailHost, PASSWORD, USER } from "../http/mail_host.ts";
import { temporaryStore } from "./temporary.ts";

const NEVER = new AbortController().signal;
const QUICK = { stepMs: 200, totalMs: 2_000 };

/** Sends a mail to a server on this machine. */
function send(
  port: number,
  change: Partial<Parameters<typeof sendMail>[0]["server"]> & { password?: string; recipient?: string } = {},
  limits = { stepMs: 10_000, totalMs: 20_000 },
): Promise<Attempt> {
  const { password = PASSWORD, recipient = "ops@example.com", ...rest } = change;
  const server = { host: "localhost", port, tls: "starttls", ca: CA, user: USER, sender: "crude@example.com", ...rest };
  const content = new TextEncoder().encode("Subject: x\r\n\r\n.dot\r\nMAIL FROM:<eve@evil.example>\r\n");
  return sendMail(
    {
      server: server as Parameters<typeof sendMail>[0]["server"],
      password: new SecretValue(password),
      recipient,
      content,
    },
    NEVER,
    limits,
  );
}

/** A server that answers lines by a script, and says nothing once it has no answer. */
async function openRaw(answer: (line: string, socket: Socket) => string | undefined) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    const say = (text: string | undefined) => text !== undefined && socket.write(`${text}\r\n`);
    say(answer("", socket));
    socket.on(
      "data",
      (data) => String(data).split("\r\n").filter(Boolean).forEach((line) => say(answer(line, socket))),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as { port: number }).port,
    async [Symbol.asyncDispose]() {
      sockets.forEach((socket) => socket.destroy());
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

Deno.test("mail is sent by STARTTLS and by TLS from the start, with a user, to a server of a given authority", async () => {
  for (const isImplicit of [false, true]) {
    await using host = await openMailHost({ isImplicit });
    const tls = isImplicit ? "implicit" : "starttls";
    assert.deepEqual(await send(host.port, { tls }), { status: 250, problem: null });
    const [mail] = host.mails;
    assert.deepEqual([mail!.isEncrypted, mail!.user, mail!.from, mail!.to], [true, USER, "crude@example.com", [
      "ops@example.com",
    ]]);
    assert.match(mail!.content, /\r\n\.dot\r\nMAIL FROM/);

    const untrusted = await send(host.port, { tls, ca: null });
    assert.deepEqual(untrusted, { status: null, problem: "The certificate of the mail server is not trusted." });
    const elsewhere = await send(host.port, { tls, host: "127.0.0.1" });
    assert.deepEqual(elsewhere, { status: null, problem: "The certificate of the mail server is not trusted." });
    assert.deepEqual([host.mails.length, host.passwords], [1, [PASSWORD]]);
  }
});

Deno.test("no password is sent to a server that offers no encryption", async () => {
  await using host = await openMailHost({ lacksTls: true });
  const { problem, isFinal } = await send(host.port);
  assert.match(problem!, /no encryption by STARTTLS/);
  assert.equal(isFinal ?? false, false);
  assert.match((await send(host.port, { tls: "implicit" }, QUICK)).problem!, /mail server/);
  assert.deepEqual([host.passwords, host.mails], [[], []]);
  // Without a user it may be sent in clear, where the setting allows it.
  await using open = await openMailHost({ lacksTls: true, needsUser: false });
  assert.equal((await send(open.port, { tls: "none", user: null, ca: null })).problem, null);
});

Deno.test("what a server refuses is said with its status, not with its words, and is final if it says so", async () => {
  await using host = await openMailHost();
  const attempts: [
    change: Parameters<typeof send>[1],
    answers: MailHost["answers"],
    status: number,
    final: boolean,
    RegExp,
  ][] = [
    [{ password: "wrong" }, {}, 535, false, /refused the user or the password with 535/],
    [{}, { recipient: () => 550 }, 550, true, /refused the recipient with 550/],
    [{}, { recipient: () => 450 }, 450, false, /refused the recipient with 450/],
    [{}, { message: () => 554 }, 554, true, /refused the message with 554/],
    [{}, { message: () => 452 }, 452, false, /refused the message with 452/],
  ];
  for (const [change, answers, status, final, problem] of attempts) {
    host.answers = answers;
    const attempt = await send(host.port, change);
    assert.deepEqual([attempt.status, attempt.isFinal ?? false], [status, final], String(problem));
    assert.match(attempt.problem!, problem);
    assert.doesNotMatch(attempt.problem!, /words of the server/);
  }
});

Deno.test("a server that hangs, closes the connection or speaks something else is given up in time", async () => {
  const greeting = (line: string) => line === "" ? "220 x" : line.startsWith("EHLO") ? "250 x" : "250 ok";
  const plain = { tls: "none", user: null, ca: null } as const;
  const scripts: [name: string, answer: Parameters<typeof openRaw>[0], problem: RegExp][] = [
    ["no greeting", () => undefined, /did not answer in time/],
    ["silence after the greeting", (line) => line === "" ? "220 x" : undefined, /did not answer in time/],
    ["silence within", (line) => line.startsWith("RCPT") ? undefined : greeting(line), /did not answer in time/],
    ["an end within the message", (line, socket) => {
      if (line === "DATA") return "354 go on";
      if (line.startsWith("Subject")) socket.destroy();
      return line === "" || /^[A-Z]+/.test(line) ? greeting(line) : undefined;
    }, /could not be reached, or closed the connection/],
    ["an end at once", (_, socket) => void socket.destroy(), /could not be reached, or closed the connection/],
    ["HTTP", () => "HTTP/1.1 400 Bad Request", /./],
    ["an endless line", () => "220-" + "x".repeat(1_000_000), /./],
  ];
  for (const [name, answer, problem] of scripts) {
    await using raw = await openRaw(answer);
    const attempt = await send(raw.port, plain, QUICK);
    assert.match(attempt.problem ?? "it was taken", problem, name);
    assert.equal(attempt.isFinal ?? false, false, name);
  }
  await using raw = await openRaw(() => undefined);
  const { port } = raw;
  await raw[Symbol.asyncDispose]();
  assert.match((await send(port, plain, QUICK)).problem!, /could not be reached/);
  assert.match(
    (await send(1, { ...plain, host: "no-such-host.invalid" }, QUICK)).problem!,
    /not known|in time|reached/,
  );
});

/** Deliveries by a mail server, at a time of their own. */
function openQueue(host: MailHost, recipients: readonly string[]) {
  const there = temporaryStore();
  const { store, keyring } = there;
  const state = { now: Date.parse("2026-01-31T12:00:00Z"), changes: 0 };
  const events: AuditEvent[] = [];
  const waiting: (() => void)[] = [];
  const now = () => state.now;
  const deliveries = new Deliveries({
    store,
    channels: [createMailChannel({
      store,
      keyring,
      now,
      plainHosts: () => [],
      maxPerHour: () => 3,
      publicUrl: () => "https://crude.example.com",
    })],
    once: ALONE,
    recordAlone: (_, event) => {
      events.push(event);
      return Promise.resolve();
    },
    now,
    warn: (message) => assert.fail(message),
  });
  store.onApplied((rows) => {
    if (!rows.some(({ table, kind }) => table === "deliveries" && kind === "update")) return;
    state.changes++;
    waiting.splice(0).forEach((wake) => wake());
  });
  const server = { host: "localhost", port: host.port };
  const ready = store.commit(() => {
    store.mail.putServer({
      ...server,
      tls: "starttls",
      ca: CA,
      user: USER,
      sender: "crude@example.com",
      ciphertext: keyring.seal(PASSWORD, mailServerAad(server)),
      updatedAt: 1,
    });
    return store.mail.insert({ addresses: recipients, events: ["secret.due"], createdAt: 1, updatedAt: 1 });
  });
  return {
    store,
    state,
    events,
    deliveries,
    list: async () => store.deliveries.list({ channel: "mail", receiverId: await ready }, 5_000),
    async announce(count: number) {
      await ready;
      await store.commit(() => {
        for (let n = 0; n < count; n++) {
          const body = { timestamp: "2026-01-31T12:00:00.000Z", data: { name: `S${n}`, scope: "global" } };
          deliveries.enqueue(subscribersIn(store), "secret.due", JSON.stringify(body));
        }
      });
    },
    /** Resolves once so many attempts were made in all. */
    async attempts(count: number) {
      while (state.changes < count) await new Promise<void>((wake) => waiting.push(wake));
    },
    async [Symbol.asyncDispose]() {
      await deliveries.stop();
      there[Symbol.dispose]();
    },
  };
}

Deno.test("a flood of events becomes a few mails an hour, which have all of them", async () => {
  await using host = await openMailHost();
  await using queue = openQueue(host, ["ops@example.com"]);
  queue.deliveries.start();
  for (const [index, count] of [1, 40, 2].entries()) {
    await queue.announce(count);
    await queue.attempts(index + 1);
    queue.state.now += 1_000;
  }
  await queue.announce(500);
  await queue.announce(500);
  assert.deepEqual(host.mails.map(({ subject }) => subject), [
    "[crude.example.com] The secret S0 (global) is due for a new value",
    "[crude.example.com] 40 announcements: secret.due (40)",
    "[crude.example.com] 2 announcements: secret.due (2)",
  ]);
  queue.deliveries.start();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(host.mails.length, 3);
  queue.state.now += HOUR_MS;
  queue.deliveries.start();
  await queue.attempts(4);
  assert.match(host.mails[3]!.subject, /1000 announcements/);
  assert.ok((await queue.list()).every(({ nextAt, problem }) => nextAt === null && problem === null));
});

Deno.test("a refused recipient is given up and recorded, while the others get their mail, and a busy server is asked again", async () => {
  await using host = await openMailHost();
  await using queue = openQueue(host, ["ops@example.com", "gone@example.com", "busy@example.com"]);
  host.answers.recipient = (address) => address.startsWith("gone") ? 550 : address.startsWith("busy") ? 450 : undefined;
  queue.deliveries.start();
  await queue.announce(2);
  await queue.attempts(3);
  assert.deepEqual(host.mails.map(({ to }) => to), [["ops@example.com"]]);
  const outcomes = async () =>
    (await queue.list()).map(({ recipient, status, nextAt }) => `${recipient} ${status} ${nextAt !== null}`);
  assert.deepEqual(
    new Set(await outcomes()),
    new Set(["ops@example.com 250 false", "gone@example.com 550 false", "busy@example.com 450 true"]),
  );
  assert.equal(queue.events.length, 1);
  const [event] = queue.events;
  assert.deepEqual([event!.action, event!.subject.kind, event!.after], ["mail.failed", "mail-recipients", {
    type: "secret.due",
    recipient: "gone@example.com",
    messages: 2,
    attempts: 1,
    problem: "The mail server refused the recipient with 550.",
  }]);
  host.answers = {};
  queue.state.now += 5_000;
  queue.deliveries.start();
  await queue.attempts(4);
  assert.deepEqual(host.mails.map(({ to }) => to), [["ops@example.com"], ["busy@example.com"]]);
  assert.ok((await outcomes()).every((outcome) => outcome.endsWith("false")));
});
