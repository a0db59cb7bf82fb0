// What mails about announcements say, and that no name can say anything else.

import assert from "node:assert/strict";
import fc from "fast-check";
import { TYPES } from "../../src/core/announcements/events.ts";
import { mailContent, mailText } from "../../src/core/announcements/mail/text.ts";

const AT = "2026-01-31T12:00:00.000Z";

/** Data of each type, as it is announced. */
const DATA: Record<string, Record<string, unknown>> = {
  "secret.due": { secretId: 5, name: "STRIPE_KEY", scope: "global", ownerName: null, dueAt: AT, expiresAt: null },
  "secret.leaked": {
    functionId: 2,
    functionName: "orders",
    secrets: ["A", "B", "C", "D"],
    blocked: true,
    requestId: "r",
  },
  "secret.canary": { secretId: 6, name: "BAIT", how: "sent", functionId: 2, functionName: "orders", revealedTo: null },
  "function.failing": { functionId: 2, functionName: "orders", calls: 8, failures: 5 },
  "function.suspended": { functionId: 2, functionName: null, suspendedUntil: AT },
  "key.expiring": { keyId: 3, keyName: "staging/acme", expiresAt: AT },
  "key.unused": { keyId: 3, keyName: "staging/acme", createdAt: AT, lastUsedAt: null },
  "sign-in.new-place": { userId: 1, email: "ada@example.com", address: "198.51.100.7" },
  "rotation.failed": { auditId: 77 },
  "backup.old": { lastBackupAt: null, days: 7 },
};

const SUBJECTS: Record<string, string> = {
  "secret.due": "The secret STRIPE_KEY (global) is due for a new value",
  "secret.leaked": "A response of the function orders held A, B, C and 1 more, and was blocked",
  "secret.canary": "The canary BAIT was sent out by the function orders",
  "function.failing": "The function orders is failing: 5 of 8 calls within an hour",
  "function.suspended": "The function 2 is suspended, as its processes keep dying",
  "key.expiring": "The API key staging/acme expires on 2026-01-31",
  "key.unused": "The API key staging/acme was not used since it was created on 2026-01-31",
  "sign-in.new-place": "ada@example.com signed in from a new place, 198.51.100.7",
  "rotation.failed": "A rotation of the encryption keys failed",
  "backup.old": "There is no backup yet",
};

const messageOf = (type: string, data = DATA[type]!) => ({
  type,
  body: JSON.stringify({ type, timestamp: AT, data }),
});

Deno.test("each event has a subject that says what happened, and a text with its data and a link", () => {
  assert.deepEqual(Object.keys(SUBJECTS).sort(), [...TYPES].sort());
  for (const type of TYPES) {
    const options = { messages: [messageOf(type)], recipientsId: 4 };
    const plain = mailText({ ...options, publicUrl: "" });
    assert.equal(plain.subject, `[Crude Functions] ${SUBJECTS[type]}`);
    assert.doesNotMatch(plain.text, /https?:/);
    const linked = mailText({ ...options, publicUrl: "https://crude.example.com:8443" });
    assert.equal(linked.subject, `[crude.example.com:8443] ${SUBJECTS[type]}`);
    assert.match(linked.text, /^ {2}https:\/\/crude\.example\.com:8443\/web\/\S+$/m);
    assert.match(linked.text, /https:\/\/crude\.example\.com:8443\/web\/announcements\/mail\/4\n$/);
    for (const [name, value] of Object.entries(DATA[type]!)) {
      if (value !== null) assert.ok(linked.text.includes(`  ${name}: `), `${type} ${name}`);
    }
  }
});

Deno.test("a mail about a canary says what was done with it", () => {
  const canary = { ...DATA["secret.canary"], host: "evil.example:8443" };
  for (
    const [data, said] of [
      [{ how: "read" }, "read by the function orders"],
      [{ how: "revealed", functionName: null, revealedTo: { kind: "admin", name: "Ada" } }, "revealed to Ada"],
      [{ how: "sent-to-host" }, "sent to the host evil.example:8443 by the function orders"],
      [{ how: "blocked" }, "withheld from a request to the host evil.example:8443 by the function orders"],
    ] as const
  ) {
    const { subject } = mailText({
      messages: [messageOf("secret.canary", { ...canary, ...data })],
      recipientsId: 4,
      publicUrl: "",
    });
    assert.equal(subject, `[Crude Functions] The canary BAIT was ${said}`);
  }
});

Deno.test("several announcements go in one mail, which stays small", () => {
  const messages = Array.from({ length: 1_000 }, (_, n) => messageOf(n % 10 ? "secret.due" : "function.failing"));
  const { subject, text } = mailText({ messages, publicUrl: "", recipientsId: 1 });
  assert.equal(
    subject,
    "[Crude Functions] 1000 announcements: function.failing (100), secret.due (900)",
  );
  assert.equal(text.match(/^The (secret|function) .*\.$/gm)!.length, 50);
  assert.match(text, /And 950 more/);
  assert.ok(text.length < 50_000, String(text.length));
});

/** Any text, and texts that begin headers and commands of SMTP. */
const anyName = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constantFrom(
    "x\r\nBcc: eve@evil.example",
    "x\n\nbody",
    "x\r\n.\r\nMAIL FROM:<eve@evil.example>",
    "x\u2028Bcc: eve@evil.example",
    "\u202egnp.exe",
    "=?utf-8?Q?x=0D=0ABcc:_eve@evil.example?=",
    "€".repeat(500),
  ),
);

Deno.test("no name adds a header, a line or another message", async () => {
  await fc.assert(
    fc.asyncProperty(anyName, anyName, async (name, other) => {
      const data = { ...DATA["secret.due"], name, scope: "function", ownerName: other };
      const { subject, text } = mailText({
        messages: [messageOf("secret.due", data)],
        publicUrl: "",
        recipientsId: 1,
      });
      assert.doesNotMatch(subject, /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      assert.ok([...subject].length <= 200);
      assert.equal(text.match(/\n/g)!.length, 12);
      const content = new TextDecoder().decode(
        await mailContent({
          from: "crude@example.com",
          to: "ops@example.com",
          subject,
          text,
          messageId: "msg_1@example.com",
          date: new Date(AT),
        }),
      );
      const [head] = content.split("\r\n\r\n");
      const headers = head!.replaceAll(/\r\n[ \t]/g, " ").split("\r\n").map((line) =>
        line.split(":")[0]!.toLowerCase()
      );
      assert.deepEqual(headers.sort(), [
        "auto-submitted",
        "content-transfer-encoding",
        "content-type",
        "date",
        "from",
        "message-id",
        "mime-version",
        "subject",
        "to",
      ]);
      assert.ok(content.split("\r\n").every((line) => line.length <= 998 && !/[\r\n]/.test(line)));
    }),
    { numRuns: 300 },
  );
});
