// DNS records of the hosts that a function lists, by a real name server that the whole machine seems to use.

import assert from "node:assert/strict";
import { join } from "node:path";
import { RAW_FRAMES } from "../hostile/raw_frames.ts";
import { data, startDnsServer, type Zone } from "./dns_server.ts";
import { deploy, run, set } from "./handlers.ts";
import { startServer } from "./server.ts";

const ADDRESS = "127.53.7.1";
const HOST = "db.example.test";
const SERVICE = `_mongodb._tcp.${HOST}`;
const name = (text: string) => ({ name: text });
const text = (value: string) => ({ text: value });

const ZONE: Zone = {
  [SERVICE]: {
    SRV: [
      data(1, 2, 27017, name("shard-0.example.test")),
      data(3, 4, 27018, name("shard-1.example.test")),
    ],
  },
  [HOST]: {
    A: [new Uint8Array([10, 0, 0, 7])],
    CAA: [
      data(new Uint8Array([128]), text("issue"), new TextEncoder().encode("ca.example")),
    ],
    MX: [data(10, name("mail.example.test"))],
    NAPTR: [
      data(1, 2, text("s"), text("SIP+D2U"), text(""), name("sip.example.test")),
    ],
    NS: [data(name("ns.example.test"))],
    SOA: [
      data(name("ns.example.test"), name("root.example.test"), 0, 1, 0, 2, 0, 3, 0, 4, 0, 5),
    ],
    TXT: [data(text("authSource=admin&"), text("replicaSet=rs0"))],
  },
  "empty.example.test": {},
  "closed.example.test": { TXT: [data(text("closed"))] },
  "unlisted.example.test": { TXT: [data(text("unlisted"))] },
};

const canMount = (): boolean =>
  Deno.uid() === 0 &&
  new Deno.Command("unshare", { args: ["-m", "true"] }).outputSync().success;

Deno.test({
  name: "a function with a list of hosts looks their records up, and no others",
  ignore: Deno.build.os !== "linux" || !canMount(),
  async fn(t) {
    await using dns = await startDnsServer(ADDRESS, ZONE);
    const folder = await Deno.makeTempDir();
    const conf = join(folder, "resolv.conf");
    // With a search domain, to which no question may lead.
    await Deno.writeTextFile(conf, `nameserver ${ADDRESS}\nsearch unlisted.example.test\n`);
    const inside = `mount --bind ${conf} /etc/resolv.conf && exec "$@"`;
    await using server = await startServer({ prepare: `exec unshare -m sh -c '${inside}' sh "$@"` });
    await Deno.remove(folder, { recursive: true });

    const head = `import dns, { promises, resolveTxt } from "node:dns"; import { promisify } from "node:util";
const back = (f) => new Promise((resolve, reject) => f((error, ...values) => error ? reject(error) : resolve(values)));
const outcome = async (f) => { try { return await f() } catch (e) { return e.code ? [e.code, e.message] : [e.name, e.message] } };
const tries = {
  srv: (h) => promises.resolveSrv(h), srvBack: (h) => back((cb) => dns.resolveSrv(h, cb)), srvResolve: (h) => promises.resolve(h, "SRV"),
  txt: (h) => promises.resolveTxt(h), txtBack: (h) => back((cb) => resolveTxt(h, cb)), txtPromisified: (h) => promisify(resolveTxt)(h),
  resolver: (h) => new promises.Resolver().resolveTxt(h), resolverBack: (h) => back((cb) => new dns.Resolver().resolveTxt(h, cb)),
  a: (h) => promises.resolve4(h), mx: (h) => promises.resolveMx(h), ns: (h) => promises.resolveNs(h), soa: (h) => promises.resolveSoa(h),
  naptr: (h) => promises.resolveNaptr(h), caa: (h) => promises.resolveCaa(h),
  denoSrv: (h) => Deno.resolveDns(h, "SRV"), denoTxt: (h) => Deno.resolveDns(h, "TXT"), denoCaa: (h) => Deno.resolveDns(h, "CAA"), denoA: (h) => Deno.resolveDns(h, "A"),
  denoServer: (h) => Deno.resolveDns(h, "TXT", { nameServer: { ipAddr: "${ADDRESS}" } }),
  connect: async (h) => { using k = await Deno.connect({ hostname: h, port: 9 }); return "connected" },
};`;
    const body = `const { host, by } = ctx.query;
      return Response.json(Object.fromEntries(await Promise.all(by.split(",").map(async (name) => [name, await outcome(() => tries[name](host))]))));`;
    const deployed = (route: string, net: boolean | string[]) =>
      deploy(
        server,
        route,
        `${head}\nexport default async (c, ctx) => {\n${body}\n};`,
        { permissions: { net } },
      );
    await deployed("listed", [`${HOST}:27017`, "empty.example.test", "silent.example.test", "closed.example.test"]);
    await deployed("open", true);
    await deployed("shut", false);
    await set(server, { "sandbox.net.deny": ["closed.example.test"] });
    /**
     * What the name server was asked since `dns.questions` was emptied. Deno itself asks for other names, and repeats
     * what is not answered, also after the call that asked has given up.
     */
    const asked = () => {
      const isOfFunctions = (question: string) =>
        /\.test$/i.test(question) && !question.endsWith(" silent.example.test");
      return [...new Set(dns.questions.filter(isOfFunctions))];
    };
    const look = async (route: string, host: string, by: string) => {
      const { status, body } = await server.api("GET", `/run/${route}?host=${encodeURIComponent(host)}&by=${by}`);
      assert.equal(status, 200, JSON.stringify(body));
      return body;
    };
    const txt = [["authSource=admin&", "replicaSet=rs0"]];
    const srv = [
      { priority: 1, weight: 2, port: 27017, name: "shard-0.example.test" },
      { priority: 3, weight: 4, port: 27018, name: "shard-1.example.test" },
    ];

    await t.step("in the forms of node:dns and of Deno", async () => {
      for (const host of [SERVICE, `${SERVICE}.`, SERVICE.toUpperCase()]) {
        assert.deepEqual(
          await look("listed", host, "srv,srvBack,srvResolve,denoSrv"),
          {
            srv,
            srvBack: [srv],
            srvResolve: srv,
            denoSrv: srv.map(({ name, ...rest }) => ({ ...rest, target: `${name}.` })),
          },
        );
      }
      const by = "txt,txtBack,txtPromisified,resolver,resolverBack,denoTxt,a,denoA";
      assert.deepEqual(await look("listed", HOST, by), {
        txt,
        txtBack: [txt],
        txtPromisified: txt,
        resolver: txt,
        resolverBack: [txt],
        denoTxt: txt,
        a: ["10.0.0.7"],
        denoA: ["10.0.0.7"],
      });
      assert.deepEqual(
        await look("listed", HOST, "mx,ns,soa,naptr,caa,denoCaa"),
        {
          caa: [{ critical: 128, issue: "ca.example" }],
          denoCaa: [{ critical: true, tag: "issue", value: "ca.example" }],
          mx: [{ priority: 10, exchange: "mail.example.test" }],
          ns: ["ns.example.test"],
          soa: {
            nsname: "ns.example.test",
            hostmaster: "root.example.test",
            serial: 1,
            refresh: 2,
            retry: 3,
            expire: 4,
            minttl: 5,
          },
          naptr: [{
            order: 1,
            preference: 2,
            flags: "s",
            service: "SIP+D2U",
            regexp: "",
            replacement: "sip.example.test",
          }],
        },
      );
    });

    await t.step(
      "records that are not there are reported as such, and a silent server in time",
      async () => {
        const { txt, denoTxt } = await look("listed", "empty.example.test", "txt,denoTxt");
        assert.deepEqual(txt, ["ENOTFOUND", "queryTxt ENOTFOUND empty.example.test"]);
        assert.deepEqual(denoTxt, ["NotFound", `There are no TXT records of "empty.example.test"`]);
        const silent = await look("listed", "silent.example.test", "txt,denoTxt");
        assert.equal(silent.txt[0], "ETIMEOUT");
        assert.equal(silent.denoTxt[0], "TimedOut");
      },
    );

    await t.step(
      "what is not listed, or closed by the operator, never reaches the name server",
      async () => {
        dns.questions.length = 0;
        const refused = [
          "unlisted.example.test",
          `stolen.${HOST}`,
          `stolen.${SERVICE}`,
          `_stolen._data.${HOST}`,
          "closed.example.test",
          "_mongodb._tcp.closed.example.test",
          "böse.example.test",
          `${"a".repeat(300)}.${HOST}`,
        ];
        for (const host of refused) {
          for (
            const [by, [code]] of Object.entries(await look("listed", host, "txt,srv,resolverBack,denoTxt") as object)
          ) {
            assert.equal(code, by === "denoTxt" ? "NotCapable" : "EREFUSED", `${by} ${host}`);
          }
        }
        for (
          const [by, [code]] of Object.entries(await look("shut", HOST, "txt,srv,denoTxt") as object)
        ) {
          assert.equal(code, by === "denoTxt" ? "NotCapable" : "EREFUSED", by);
        }
        const { denoServer } = await look("listed", HOST, "denoServer");
        assert.equal(denoServer[0], "NotCapable");
        assert.deepEqual(asked(), []);
      },
    );

    await t.step("a frame that is forged asks for no more", async () => {
      dns.questions.length = 0;
      const forged = [
        `[101, "TXT", "unlisted.example.test"]`,
        `[102, "TXT", "stolen.${HOST}", { net: true }]`,
        `[103, "TXT", "unlisted.example.test.", null, true]`,
        `[104, "TXT", "UNLISTED.example.test"]`,
      ];
      await deploy(
        server,
        "forger",
        `${RAW_FRAMES} import { promises } from "node:dns";
export default async (c) => {
  for (const meta of [${forged.join()}]) for (const id of [0, 1, seen[0] ?? 2, 9999]) await write(frame(79, id, JSON.stringify(meta)));
  return c.json(await promises.resolveTxt("${HOST}"));
};`,
        { permissions: { net: [HOST] } },
      );
      assert.deepEqual((await run(server, "/forger")).body, txt);
      assert.deepEqual(asked(), [`TXT ${HOST}`]);
    });

    await t.step("an address that is found opens no connection", async () => {
      const { connect } = await look("listed", HOST, "connect");
      assert.equal(connect[0], "NotCapable");
    });

    await t.step(
      "names are asked for in lower case, and without the machine's search domains",
      async () => {
        dns.questions.length = 0;
        await look("listed", SERVICE.toUpperCase(), "srv");
        await look("listed", "empty.example.test", "txt");
        assert.deepEqual(asked(), [`SRV ${SERVICE}`, "TXT empty.example.test"]);
      },
    );

    await t.step(
      "with any network, where Deno may not ask a name server on this machine",
      async () => {
        assert.deepEqual(await look("open", HOST, "txt,denoTxt"), { txt, denoTxt: txt });
        assert.deepEqual(await look("open", SERVICE, "srv"), { srv });
        assert.equal(
          (await look("open", "closed.example.test", "txt")).txt[0],
          "EREFUSED",
        );
      },
    );
  },
});
