// A page that a hostile function serves, opened by an admin who is signed in, tries to use that.

import assert from "node:assert/strict";
import { createSecret, deploy } from "../http/handlers.ts";
import { startApp } from "./app.ts";
import { closeBrowser, openWholeBrowser, setUpByHand } from "./browser.ts";

Deno.test.beforeAll(openWholeBrowser);
Deno.test.afterAll(closeBrowser);

/** Tells what each attempt gained; "nothing" is what is hoped for. */
const ATTACK = `
const gained = {};
const nothing = "nothing";
const attempt = async (name, work) => {
  const late = new Promise((resolve) => setTimeout(resolve, 1000, undefined));
  try { gained[name] = (await Promise.race([work(), late])) ?? nothing; } catch { gained[name] = nothing; }
};
const read = async (path, init) => {
  const response = await fetch(path, { credentials: "include", ...init });
  return response.type === "opaque" ? undefined : (await response.text()).slice(0, 200);
};
const loaded = (element, parent = document.body) =>
  new Promise((resolve) => { element.onload = element.onerror = resolve; parent.append(element); });
const submit = async (action, fields, { enctype = "application/x-www-form-urlencoded", target } = {}) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action, enctype });
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  document.body.append(form);
  if (target) { form.target = target; form.submit(); return; }
  const frame = document.createElement("iframe");
  frame.name = "f" + Math.random();
  form.target = frame.name;
  document.body.append(frame);
  const done = new Promise((resolve) => frame.onload = resolve);
  form.submit();
  await done;
  return frame.contentDocument?.body?.innerHTML;
};
const invitation = { name: "Eve", email: "eve@example.com" };
const json = JSON.stringify({ name: "evil" });
const secrets = "/api/secrets?includeValues=true";

(async () => {
  await attempt("read the API", () => read(secrets));
  await attempt("read the API without CORS", () => read(secrets, { mode: "no-cors" }));
  await attempt("read a page", () => read("/web/users"));
  for (const type of ["text/plain", "application/json", "application/x-www-form-urlencoded"]) {
    await attempt("post to the API as " + type, () => read("/api/key-groups", { method: "POST", body: json, headers: { "Content-Type": type } }));
    await attempt("post blindly to the API as " + type, () => read("/api/key-groups", { method: "POST", body: json, mode: "no-cors", headers: { "Content-Type": type } }));
  }
  await attempt("upload blindly", () => read("/api/files/evil.ts", { method: "POST", body: "evil", mode: "no-cors" }));
  const data = new FormData();
  data.append("file", new Blob(["evil"]), "evil.ts");
  await attempt("upload a form blindly", () => read("/api/files/evil.ts", { method: "POST", body: data, mode: "no-cors" }));
  await attempt("beacon", () => { navigator.sendBeacon("/web/users", new URLSearchParams(invitation)); });
  await attempt("keepalive", () => read("/web/users", { method: "POST", body: new URLSearchParams(invitation), mode: "no-cors", keepalive: true }));
  await attempt("post a form to a page", () => submit("/web/users", invitation));
  await attempt("post a form by way of a redirect", () => submit("/run/redirect", invitation));
  await attempt("fetch by way of a redirect", () => read("/run/redirect", { method: "POST", body: new URLSearchParams(invitation), mode: "no-cors" }));
  await attempt("post a form to the API as text", () => submit("/api/key-groups", { '{"name":"evil","x":"': '"}' }, { enctype: "text/plain" }));
  await attempt("post a form in a new window", () => submit("/web/users", invitation, { target: "_blank" }));
  await attempt("frame a page", async () => {
    const frame = document.createElement("iframe");
    frame.src = "/web/users";
    await loaded(frame);
    return frame.contentDocument?.body?.innerHTML;
  });
  await attempt("frame without a sandbox of its own", async () => {
    const frame = document.createElement("iframe");
    frame.srcdoc = "<script>parent.postMessage(origin + document.cookie, '*')</" + "script>";
    const told = new Promise((resolve) => addEventListener("message", (event) => resolve(event.data), { once: true }));
    await loaded(frame);
    const text = await told;
    return text === "null" ? undefined : text;
  });
  await attempt("open a window", async () => {
    const opened = open("/web/users");
    for (let n = 0; n < 20; n++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      try { return opened.document.body.innerHTML; } catch {}
    }
  });
  await attempt("write into an empty window", async () => {
    const opened = open("about:blank");
    return await opened.eval("fetch('" + location.href.replace(/run.*/, "api/secrets") + "', { credentials: 'include' }).then((r) => r.text())");
  });
  await attempt("a worker that stays", async () => { await navigator.serviceWorker.register("/run/worker.js", { scope: "/" }); return "registered"; });
  await attempt("a shared worker", () => new Promise((resolve, reject) => {
    const worker = new SharedWorker("/run/worker.js");
    worker.onerror = reject;
    worker.port.onmessage = (event) => resolve(event.data);
  }));
  await attempt("cookies", () => document.cookie || "empty, but readable");
  await attempt("set a cookie", () => { document.cookie = "crude_session=evil; Path=/"; return "set"; });
  await attempt("storage", () => { localStorage.setItem("a", "b"); return "stored"; });
  await attempt("another domain", () => { document.domain = document.domain; return "taken"; });
  await attempt("a script of the API", async () => {
    const script = document.createElement("script");
    let seen;
    addEventListener("error", (event) => seen = event.message, { once: true });
    script.src = secrets;
    await loaded(script);
    return seen && seen !== "Script error." ? seen : undefined;
  });
  await attempt("the event stream", () => new Promise((resolve) => {
    const source = new EventSource(secrets, { withCredentials: true });
    source.onmessage = (event) => resolve(event.data);
    source.onerror = () => resolve(undefined);
  }));
  document.title = JSON.stringify(gained);
})();
`;

const pageOf = (script: string) => `<!doctype html><html><body><h1>Hi</h1><script>${script}</script></body></html>`;

Deno.test("a hostile function's page gains nothing from the admin who opens it", async () => {
  await using server = await startApp();
  await createSecret(server, "TREASURE", "the-value-of-the-secret");
  const attack = JSON.stringify(pageOf(ATTACK));
  await deploy(
    server,
    "evil",
    `export default (c) => {
      c.header("Set-Cookie", "crude_session=evil; Path=/; HttpOnly", { append: true });
      c.header("Set-Cookie", "=crude_session=evil; Path=/; HttpOnly", { append: true });
      c.header("Set-Cookie", "seen=1; Path=/", { append: true });
      c.header("Service-Worker-Allowed", "/");
      c.header("Clear-Site-Data", '"*"');
      c.header("Access-Control-Allow-Origin", "*");
      return c.html(${attack});
    }`,
  );
  await deploy(server, "redirect", `export default (c) => c.redirect("/web/users", 307)`);
  await deploy(
    server,
    "worker",
    `export default (c) => c.body("onconnect = (e) => e.ports[0].postMessage(origin)", 200, { "Content-Type": "text/javascript" })`,
    { route: "/worker.js" },
  );
  await deploy(server, "cookies", `export default (c) => c.text(c.req.header("cookie") ?? "")`);
  await deploy(
    server,
    "svg",
    `export default (c) => c.body('<svg xmlns="http://www.w3.org/2000/svg"/>', 200, { "Content-Type": "image/svg+xml" })`,
  );
  await using visit = await setUpByHand(server);
  // What would be gained, were the page of our origin.
  const own = await visit.page.evaluate(`fetch("/api/secrets?includeValues=true").then((r) => r.text())`);
  assert.match(own as string, /the-value-of-the-secret/);

  const page = await visit.context.newPage();
  await page.goto("/run/evil");
  await page.waitForFunction(`document.title.startsWith("{")`);
  const gained = JSON.parse(await page.title()) as Record<string, string>;
  assert.ok(Object.keys(gained).length >= 25);
  assert.deepEqual(Object.entries(gained).filter(([, what]) => what !== "nothing"), []);
  await page.close();

  const svg = await visit.context.newPage();
  await svg.goto("/run/svg");
  assert.deepEqual(await svg.evaluate("[document.contentType, self.origin]"), ["image/svg+xml", "null"]);
  await svg.goto("/run/cookies");
  assert.equal(await svg.locator("body").textContent(), "seen=1");
  await svg.close();

  // Still signed in, and nothing was done in the admin's name.
  await visit.page.goto("/web/users");
  assert.equal(await visit.page.getByRole("row").count(), 2, "the heading and the admin");
  const groups = await server.api("GET", "/api/key-groups");
  assert.deepEqual(groups.body.groups.map(({ name }: { name: string }) => name), ["management"]);
  const evil = await server.api("GET", "/api/files/evil.ts");
  assert.match(evil.body, /Set-Cookie/, "the handler, not the upload");
});
