// Who gets in to the admin pages: set-up, signing in and out, and what a session may do at the API.

import assert from "node:assert/strict";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { ADMIN, cookieName, type Page, setUp, setupForm, setupToken, Visitor } from "./admin.ts";
import { deploy, set } from "./handlers.ts";
import { startApp } from "./app.ts";

Deno.test("the first user is created by the printed link alone, and by nobody afterwards", async () => {
  await using server = await startApp();
  const visitor = new Visitor(server.url);
  const first = await visitor.get("/web");
  assert.deepEqual([first.status, first.headers.get("location")], [303, "/web/setup"]);
  const without = await visitor.get("/web/setup");
  assert.match(without.text, /printed on its terminal/);
  assert.doesNotMatch(without.text, /<input/);

  const form = await setupForm(server);
  for (const token of ["", "x", form["token"]!.slice(1), form["token"]!.toUpperCase()]) {
    assert.equal((await visitor.post("/web/setup", { ...form, token })).status, 403, token);
    assert.doesNotMatch((await visitor.get(`/web/setup?token=${token}`)).text, /<input/);
  }
  assert.match((await visitor.get(`/web/setup?token=${form["token"]}`)).text, /<input[^>]*name="password"/);

  const created = await visitor.post("/web/setup", form);
  assert.deepEqual([created.status, created.headers.get("location")], [303, "/web"]);
  assert.match((await visitor.get("/web")).text, /Welcome, Ada/);

  const late = new Visitor(server.url);
  assert.equal((await late.get(`/web/setup?token=${form["token"]}`)).status, 404);
  assert.equal((await late.post("/web/setup", { ...form, email: "eve@example.com" })).status, 404);
});

Deno.test("of many who use the link at once, one becomes the first user", async () => {
  await using server = await startApp();
  const form = await setupForm(server);
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, n) => new Visitor(server.url).post("/web/setup", { ...form, email: `a${n}@b.c` })),
  );
  assert.equal(answers.filter(({ status }) => status === 303).length, 1);
  assert.deepEqual([...new Set(answers.map(({ status }) => status))].toSorted(), [303, 403]);
});

Deno.test("the link ends with the process, and no server with a user prints one", async () => {
  const folder = await Deno.makeTempDir();
  try {
    let old: string;
    {
      await using server = await startApp({ folder });
      old = await setupToken(server);
    }
    {
      await using server = await startApp({ folder });
      assert.notEqual(await setupToken(server), old);
      const form = await setupForm(server);
      assert.equal((await new Visitor(server.url).post("/web/setup", { ...form, token: old })).status, 403);
      await setUp(server);
    }
    await using server = await startApp({ folder });
    const visitor = new Visitor(server.url);
    assert.equal((await visitor.get("/web/setup")).status, 404);
    assert.doesNotMatch(server.logs(), /setup/);
    assert.equal((await visitor.signIn()).status, 303, "and the user is there");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what is wrong with a new user is told by field, and what was typed stays but for passwords", async () => {
  await using server = await startApp();
  const form = await setupForm(server);
  const visitor = new Visitor(server.url);
  const cases: [Record<string, string>, RegExp][] = [
    [{ name: "" }, /Name must not be empty/],
    [{ email: "ada" }, /E-mail must look like name@example.com/],
    [{ password: "elevenchars", again: "elevenchars" }, /Password must have 12 characters or more/],
    [{ password: "👩‍🚀👩‍🚀", again: "👩‍🚀👩‍🚀" }, /12 characters or more/],
    [{ password: "x".repeat(257), again: "x".repeat(257) }, /at most 256 characters/],
    [{ password: "ADA@example.com", again: "ADA@example.com" }, /must not be the e-mail address/],
    [{ password: "password1234", again: "password1234" }, /Password must not be one that others would try first/],
    [{ again: "another long password" }, /Password again is not the same/],
  ];
  for (const [wrong, message] of cases) {
    const { status, text } = await visitor.post("/web/setup", { ...form, ...wrong });
    assert.equal(status, 400);
    assert.match(text, message);
    assert.doesNotMatch(text, /long enough|elevenchars/);
    assert.ok(text.includes(`value="${wrong["name"] ?? ADMIN.name}"`));
  }
  const twelve = "äöü中文🙂 12345";
  assert.equal([...twelve].length, 12);
  assert.equal((await visitor.post("/web/setup", { ...form, password: twelve, again: twelve })).status, 303);
  // As another keyboard writes it.
  assert.equal((await new Visitor(server.url).signIn(twelve.normalize("NFD"))).status, 303);
});

Deno.test("a page leads whoever is not signed in through the sign-in and back to it", async () => {
  await using server = await startApp();
  await setUp(server);
  const visitor = new Visitor(server.url);
  const page = await visitor.get("/web/account?from=here");
  assert.deepEqual(
    [page.status, page.headers.get("location")],
    [303, "/web/sign-in?to=%2Fweb%2Faccount%3Ffrom%3Dhere"],
  );
  const to = /name="to" value="([^"]+)"/.exec((await visitor.get(page.headers.get("location")!)).text)![1]!;
  const signedIn = await visitor.post("/web/sign-in", { ...ADMIN, to });
  assert.deepEqual([signedIn.status, signedIn.headers.get("location")], [303, "/web/account?from=here"]);
  const elsewhere = [
    "//evil.example/web",
    "https://evil.example/web",
    "/webx",
    "/web/../api",
    "\\\\evil",
    "javascript:x",
  ];
  for (const to of elsewhere) {
    const answer = await new Visitor(server.url).post("/web/sign-in", { ...ADMIN, to });
    assert.equal(answer.headers.get("location"), "/web", to);
  }
});

Deno.test("the session's cookie is out of reach of scripts and other sites, and the database has its hash", async () => {
  await using server = await startApp();
  await setUp(server);
  const visitor = new Visitor(server.url);
  const { headers } = await visitor.signIn();
  const name = cookieName(server, "session");
  const [session] = headers.getSetCookie().filter((line) => line.startsWith(`${name}=`));
  assert.match(session!, /=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2592000$/);
  const token = visitor.cookies.get(name)!;
  await server.stop();
  for (const { name } of Deno.readDirSync(server.dataDir)) {
    const bytes = Deno.readFileSync(`${server.dataDir}/${name}`);
    const text = new TextDecoder("latin1").decode(bytes);
    assert.ok(!text.includes(token), name);
    assert.ok(!text.includes(ADMIN.password), name);
  }
  assert.ok(!server.logs().includes(token) && !server.logs().includes(ADMIN.password));
});

Deno.test("behind a trusted proxy that speaks https, cookies are Secure and have the prefix; nobody else is believed", async () => {
  await using server = await startApp({ env: { TRUSTED_PROXIES: "127.0.0.1, ::1" } });
  const https = { "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9" };
  const origin = server.url.replace("http:", "https:");
  const visitor = new Visitor(server.url, https);
  const insecure = await visitor.post("/web/setup", await setupForm(server), { Origin: server.url });
  assert.equal(insecure.status, 403, "a page of the same host, but not by https");
  const created = await visitor.post("/web/setup", await setupForm(server), { Origin: origin });
  assert.match(
    created.headers.getSetCookie().join(),
    /__Host-crude_session_\d+=[\w-]+; Path=\/; HttpOnly; SameSite=Lax; Secure/,
  );
  assert.equal((await visitor.get("/api/functions")).status, 200);
  const plain = new Visitor(server.url, https);
  plain.cookies.set(cookieName(server, "session"), visitor.cookies.get(`__Host-${cookieName(server, "session")}`)!);
  assert.equal((await plain.get("/api/functions")).status, 401, "a cookie that plain http may have set");

  await using direct = await startApp();
  const { headers } = await new Visitor(direct.url, https).post("/web/setup", await setupForm(direct));
  assert.doesNotMatch(headers.getSetCookie().join(), /Secure|__Host-/);
});

Deno.test("the cookie lasts as long as the settings let a session last", async () => {
  await using server = await startApp();
  const name = cookieName(server, "session");
  const maxAge = ({ headers }: Page) =>
    Number(/Max-Age=(\d+)/.exec(headers.getSetCookie().find((line) => line.startsWith(`${name}=`))!)![1]);
  assert.equal(maxAge(await new Visitor(server.url).post("/web/setup", await setupForm(server))), 30 * 86_400);
  for (const [days, seconds] of [[1, 86_400], [7, 7 * 86_400]] as const) {
    await set(server, { "admin.session.max-days": days });
    assert.equal(maxAge(await new Visitor(server.url).signIn()), seconds);
  }
});

Deno.test("two servers on one host do not touch each other's cookies", async () => {
  await using one = await startApp();
  await using other = await startApp();
  const [first, second] = [await setUp(one), await setUp(other)];
  // A browser sends both servers the cookies of both, as cookies have no port.
  const jar = new Map([...first.cookies, ...second.cookies]);
  const visits = [one, other].map(({ url }) => new Visitor(url, {}, jar));
  for (const visitor of visits) assert.equal((await visitor.get("/web")).status, 200);
  await visits[0]!.post("/web/sign-out", {});
  assert.equal((await visits[0]!.get("/web")).status, 303);
  assert.equal((await visits[1]!.get("/web")).status, 200, "signed out of the other one only");
  await visits[0]!.signIn();
  for (const visitor of visits) assert.equal((await visitor.get("/web")).status, 200);
  // What one server has to tell is not told by the other.
  assert.equal((await visits[0]!.post("/web/first-steps/hide", {})).status, 303);
  assert.doesNotMatch((await visits[1]!.get("/web")).text, /are hidden in this browser/);
  assert.match((await visits[0]!.get("/web")).text, /are hidden in this browser/);
});

Deno.test("signing out ends the session, not only the cookie", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const thief = new Visitor(server.url);
  thief.cookies.set(cookieName(server, "session"), visitor.cookies.get(cookieName(server, "session"))!);
  assert.equal((await thief.get("/api/functions")).status, 200);
  const out = await visitor.post("/web/sign-out", {});
  assert.deepEqual([out.status, out.headers.get("location")], [303, "/web/sign-in"]);
  assert.equal(visitor.cookies.get(cookieName(server, "session")), undefined);
  assert.equal((await thief.get("/api/functions")).status, 401);
});

Deno.test("signing in makes a new session, whatever session the browser brings along, and no other site can do it", async () => {
  await using server = await startApp();
  const attacker = await setUp(server);
  const isIn = async (session: string) => {
    const visitor = new Visitor(server.url);
    visitor.cookies.set(cookieName(server, "session"), session);
    return (await visitor.get("/web")).status === 200;
  };
  const theirs = attacker.cookies.get(cookieName(server, "session"))!;
  assert.equal(await isIn(theirs), true);
  // One that was made up, and one that is good: whoever planted it must not share the session that begins.
  for (const planted of ["chosen-by-somebody-else", theirs]) {
    const victim = new Visitor(server.url);
    victim.cookies.set(cookieName(server, "session"), planted);
    assert.equal((await victim.signIn()).status, 303);
    const begun = victim.cookies.get(cookieName(server, "session"))!;
    assert.notEqual(begun, planted);
    await victim.post("/web/sign-out", {});
    assert.deepEqual([await isIn(begun), await isIn(planted)], [false, planted === theirs]);
  }
  for (const origin of ["https://evil.example", "null", server.url.replace("127.0.0.1", "localhost")]) {
    const victim = new Visitor(server.url);
    const { email, password } = ADMIN;
    const { status } = await victim.post("/web/sign-in", { email, password }, { Origin: origin });
    assert.deepEqual([status, victim.cookie], [403, ""], origin);
  }
});

Deno.test("a wrong password and an unknown address are answered alike", async () => {
  await using server = await startApp();
  await setUp(server);
  const visitor = new Visitor(server.url);
  const known = await visitor.post("/web/sign-in", { email: ADMIN.email, password: "not the right one" });
  const unknown = await visitor.post("/web/sign-in", { email: "eve@example.com", password: "not the right one" });
  assert.equal(known.status, 401);
  assert.match(known.text, /The e-mail address or the password is wrong/);
  const shown = (text: string, email: string) => text.replaceAll(email, "<e-mail>");
  assert.deepEqual([unknown.status, shown(unknown.text, "eve@example.com")], [401, shown(known.text, ADMIN.email)]);
  const names = (headers: Headers) => [...headers.keys()].toSorted();
  assert.deepEqual(names(unknown.headers), names(known.headers));
});

Deno.test("five wrong passwords make the next attempts wait, the right one too, whether or not somebody has the address", async () => {
  await using server = await startApp({ env: { TRUSTED_PROXIES: "127.0.0.1" } });
  const known = await setUp(server, { "X-Forwarded-For": "192.0.2.1" });
  const attacker = new Visitor(server.url, { "X-Forwarded-For": "203.0.113.9" });
  for (const email of [ADMIN.email, "eve@example.com"]) {
    for (let n = 0; n < 5; n++) assert.equal((await attacker.signIn(`guess ${n}`, email)).status, 401);
    const slowed = await attacker.signIn(ADMIN.password, email);
    assert.equal(slowed.status, 429);
    const seconds = Number(slowed.headers.get("retry-after"));
    assert.ok(seconds > 0 && seconds <= 30, `${seconds} s`);
    assert.match(slowed.text, /Too many attempts\. Try again in \d+ seconds/);
  }
  // The owner, elsewhere.
  assert.equal((await new Visitor(server.url, { "X-Forwarded-For": "192.0.2.7" }).signIn()).status, 303);
  assert.equal((await known.signIn()).status, 303);
});

Deno.test("attempts made at once get no more guesses than attempts made in turn", async () => {
  await using server = await startApp();
  await setUp(server);
  const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => new Visitor(server.url).signIn(`guess ${n}`)));
  assert.equal(answers.filter(({ status }) => status === 401).length, 5);
  assert.equal(answers.filter(({ status }) => status === 429).length, 25);
});

Deno.test("a session opens the API to this server's own pages alone", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const host = new URL(server.url).host;
  const secret = JSON.stringify({ name: "A", value: "v", scope: "global" });
  const json = { "Content-Type": "application/json" };
  const post = (headers: Record<string, string>, body = secret, path = "/api/secrets", method = "POST") =>
    admin.request(method, path, { body, headers });

  assert.equal((await post(json)).status, 201, "as a page of ours");
  assert.equal((await post({ ...json, "Sec-Fetch-Site": "same-origin" })).status, 409, "as a browser says it");
  const foreign: Record<string, string>[] = [
    { Origin: "https://evil.example" },
    { Origin: "null" },
    { Origin: "null", "Sec-Fetch-Site": "same-origin" },
    { Origin: `http://${host}.evil.example` },
    { Origin: `http://evil.example#${host}` },
    { Origin: server.url.replace(/\d+$/, "1") },
    { Origin: "" },
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { "Sec-Fetch-Site": "none" },
    { "Sec-Fetch-Site": "nonsense" },
  ];
  const uploads: [string, string, string, string][] = [
    ["POST", "/api/secrets", "application/json", secret],
    ["PUT", "/api/files/x.ts", "text/plain", "export default 1"],
    ["POST", "/api/files/x.ts", "application/x-www-form-urlencoded", "a=1"],
    [
      "PUT",
      "/api/files/x.ts",
      "multipart/form-data; boundary=b",
      '--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--b--',
    ],
    ["DELETE", "/api/secrets/1", "text/plain", ""],
    ["POST", "/api/encryption-keys/rotation", "text/plain", ""],
    ["PUT", "/api/settings", "application/json", '{"settings":{"sandbox.max-calls":1}}'],
  ];
  for (const headers of foreign) {
    for (const [method, path, type, body] of uploads) {
      const { status, text } = await post({ "Content-Type": type, ...headers }, body, path, method);
      assert.deepEqual([status, JSON.parse(text).code], [403, "CrossSite"], JSON.stringify([method, path, headers]));
    }
    const { status } = await admin.post("/web/sign-out", {}, headers);
    assert.equal(status, 403, `a form with ${JSON.stringify(headers)}`);
  }
  const bare = await fetch(`${server.url}/api/secrets`, {
    method: "POST",
    headers: { ...json, Cookie: admin.cookie },
    body: secret,
  });
  assert.equal(bare.status, 403, "without an Origin");
  await bare.body?.cancel();

  const { body } = await server.api("GET", "/api/secrets");
  assert.deepEqual(body.secrets.map(({ name }: { name: string }) => name), ["A"]);
});

Deno.test("a session reads from the API, but not on behalf of another site's page", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const allowed: Record<string, string>[] = [
    {},
    { "Sec-Fetch-Site": "same-origin" },
    { "Sec-Fetch-Site": "none" },
    { Origin: server.url },
    { Referer: `${server.url}/web/secrets` },
  ];
  for (const headers of allowed) assert.equal((await admin.get("/api/secrets", headers)).status, 200);
  const refused: Record<string, string>[] = [
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { Origin: "null" },
    { Origin: "https://evil.example" },
    { Referer: "https://evil.example/page" },
  ];
  for (const headers of refused) {
    assert.equal((await admin.get("/api/secrets", headers)).status, 403, JSON.stringify(headers));
  }
});

Deno.test("a key that is presented decides before the cookie, right or wrong", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  assert.equal((await admin.get("/api/secrets", { "X-API-Key": "wrong" })).status, 401);
  assert.equal((await admin.get("/api/secrets?api_key=wrong")).status, 401);
  const foreign = { "X-API-Key": server.key, Origin: "https://evil.example", "Content-Type": "application/json" };
  const body = JSON.stringify({ name: "clients" });
  assert.equal((await admin.request("POST", "/api/key-groups", { body, headers: foreign })).status, 201);
});

Deno.test("a name that leads here does not bring another name's session along", async () => {
  await using server = await startApp();
  await setUp(server);
  // What a rebound name sends: its own host and origin, and no cookie of ours.
  const { status } = await server.raw([
    "GET /api/secrets HTTP/1.1",
    "Host: evil.example",
    "Origin: http://evil.example",
    "Sec-Fetch-Site: same-origin",
  ]);
  assert.equal(status, 401);
});

Deno.test("what was typed while the session ended is kept through the sign-in, in no address", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  admin.cookies.delete(cookieName(server, "session"));
  const typed = { name: 'A "quoted" <name>', value: "first\r\nsecond", to: "mine", resume: "mine" };
  const ended = await admin.post("/web/secrets/new?scope=global", typed);
  assert.equal(ended.status, 401);
  assert.match(ended.text, /Your session has ended/);
  const fields = hiddenFields(ended.text);
  assert.equal(fields["to"], "/web/secrets/new?scope=global");

  // A wrong password first.
  const wrong = await admin.post("/web/sign-in", { ...fields, email: ADMIN.email, password: "mistyped, alas" });
  const again = hiddenFields(wrong.text);
  assert.deepEqual(again, fields);
  const back = await admin.post("/web/sign-in", { ...again, email: ADMIN.email, password: ADMIN.password });
  assert.equal(back.status, 200);
  assert.match(back.text, /action="\/web\/secrets\/new\?scope=global"/);
  assert.deepEqual(hiddenFields(back.text), { ...typed, value: "first\nsecond" });
  assert.equal((await admin.get("/web")).status, 200);
});

Deno.test("a part of a page that asks without a session leaves the page as it is", async () => {
  await using server = await startApp();
  await setUp(server);
  const answer = await new Visitor(server.url).post("/web/anything", { typed: "x" }, { "HX-Request": "true" });
  assert.equal(answer.status, 401);
  assert.deepEqual([answer.headers.get("hx-retarget"), answer.headers.get("hx-reswap")], ["#notices", "innerHTML"]);
  assert.match(answer.text, /What you typed here is kept/);
  assert.equal(answer.headers.get("location"), null);
});

/** As a browser reads them. */
function hiddenFields(html: string): Record<string, string> {
  const plain = (text: string) =>
    text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&#39;", "'")
      .replaceAll("\r\n", "\n").replaceAll("&amp;", "&");
  return Object.fromEntries(
    [...html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g)].map((
      [, name, value],
    ) => [plain(name!), plain(value!)]),
  );
}

Deno.test("the audit tells who signed in, who failed, and what became of users, without their passwords", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  for (let n = 0; n < 5; n++) await new Visitor(server.url).signIn("a password that is wrong");
  await new Visitor(server.url).signIn("typed into the wrong field", "my other password");
  await admin.signIn();
  await admin.post("/web/users", { name: "Bob", email: "bob@example.com" });
  await admin.request("POST", "/api/key-groups", {
    body: '{"name":"clients"}',
    headers: { "Content-Type": "application/json" },
  });
  await admin.post("/web/users/2/remove", { email: "bob@example.com" });
  await admin.post("/web/sign-out", {});
  const { body } = await server.api("GET", "/api/audit");
  interface Entry {
    action: string;
    actor: { kind: string; name: string | null };
  }
  const told = body.entries.map(({ action, actor }: Entry) => `${action} by ${actor.kind}`) as string[];
  for (
    const expected of [
      "admin.created by visitor",
      "sign-in.failed by visitor",
      "sign-in.locked by visitor",
      "sign-in.succeeded by admin",
      "admin.created by admin",
      "key-group.created by admin",
      "admin.deleted by admin",
      "sign-in.ended by admin",
    ]
  ) assert.ok(told.includes(expected), `${expected} is not among ${told.join(", ")}`);
  assert.doesNotMatch(JSON.stringify(body), /password that is wrong|wrong field|other password|long enough/);
});

Deno.test("a notice that another host planted is not shown, and two cookies of one name count for nothing", async () => {
  await using server = await startApp();
  const visitor = await setUp(server);
  const [notice, session] = [cookieName(server, "notice"), cookieName(server, "session")];
  const stranger = new Visitor(server.url);
  for (const planted of ["Call%20555", "Call%20555.", `Call%20555.${"A".repeat(43)}`, ".", "%", "%.%"]) {
    stranger.cookies.set(notice, planted);
    const { status, text } = await stranger.get("/web/sign-in");
    assert.equal(status, 200);
    assert.doesNotMatch(text, /Call 555|role="status"/, planted);
  }
  await visitor.post("/web/functions/new", { name: "greet", methods: "GET", secrets: "*" });
  const said = visitor.cookies.get(notice)!;
  assert.match(said, /^Created/);
  stranger.cookies.set(notice, said.replace("Created", "Deleted"));
  assert.doesNotMatch((await stranger.get("/web/sign-in")).text, /Deleted/);
  assert.match((await visitor.get("/web")).text, /Created the function/);

  const own = `${session}=${visitor.cookies.get(session)}`;
  const status = async (cookie: string) =>
    (await new Visitor(server.url, { Cookie: cookie }).request("GET", "/api/functions", {
      headers: { Cookie: cookie },
    })).status;
  assert.equal(await status(own), 200);
  for (const both of [`${own}; ${session}=planted`, `${session}=planted; ${own}`, `${own}; ${own}`]) {
    assert.equal(await status(both), 401, both);
  }
});

Deno.test("an address that ends with a slash leads to its page, which may not exist", async () => {
  await using server = await startApp();
  const admin = await setUp(server);
  const id = await deploy(server, "hello", "export default (c) => c.text('hello');");
  const cases = [["/web/", "/web"], [`/web/functions/${id}/?a=b`, `/web/functions/${id}?a=b`], [
    "/web//",
    "/web",
  ]] as const;
  for (const [asked, to] of cases) {
    const { status, headers } = await admin.get(asked);
    assert.deepEqual([status, headers.get("location")], [302, to]);
  }
  assert.equal((await admin.submit("/web/nope/", {})).status, 404);
  const other = await admin.get("/web/nope/");
  assert.equal((await admin.get(other.headers.get("location")!)).status, 404);
});

Deno.test("pages ask for a browsing context of their own where browsers grant it", async () => {
  await using server = await startApp();
  const { port } = new URL(server.url);
  // fetch() sets Host itself.
  const policyOn = async (host: string) => {
    const request = get(`${server.url}/web/sign-in`, { headers: { Host: host }, agent: false });
    const [response] = await once(request, "response") as [IncomingMessage];
    await response.resume().toArray();
    return response.headers["cross-origin-opener-policy"];
  };
  for (const host of ["localhost", "127.0.0.1", "[::1]"]) {
    assert.equal(await policyOn(`${host}:${port}`), "same-origin");
  }
  for (const host of ["cf.example.com", "127.0.0.1.example.com", "192.168.1.2"]) {
    assert.equal(await policyOn(`${host}:${port}`), undefined);
  }
});
