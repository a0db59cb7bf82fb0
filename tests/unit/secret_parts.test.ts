// Values that consist of parts: what a handler prints of them is masked where it is secret on its own, and nothing else.

import assert from "node:assert/strict";
import { inspect } from "node:util";
import { leakSearch } from "../../src/calls/leak_guard.ts";
import { createMasking } from "../../src/masking/masking.ts";
import { secretPartsOf } from "../../src/masking/secret_parts.ts";

const PASSWORD = "s3cr3t-Pa55";
const TOKEN = "XXXX1234abcdEFGH5678wxyz";
const HEX = "0123456789abcdef0123456789abcdef01234567";
const BASE64 = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tqK1SZFPTOtrKBHBeksoGMGw==";
const LINES = [
  "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
  "MzEfYyjiWA4R4M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu1",
];
const PEM = `-----BEGIN PRIVATE KEY-----\n${LINES.join("\n")}\n-----END PRIVATE KEY-----\n`;
const ACCOUNT = {
  type: "service_account",
  project_id: "project-of-ours",
  private_key_id: HEX,
  private_key: PEM,
  client_email: "caller@project-of-ours.iam.gserviceaccount.com",
  token_uri: "https://oauth2.googleapis.com/token",
};

/** Values, with what of them must not be shown. */
const VALUES: Record<string, [value: string, ...secret: string[]]> = {
  "a database's URL": [`postgresql://reader:${PASSWORD}@db.internal:5432/main`, PASSWORD],
  "one of several hosts": [`mongodb://reader:${PASSWORD}@one.internal:1,two.internal:2/main?w=1`, PASSWORD],
  "one whose password is encoded": [
    "mysql://reader:p%40ss%2Fw0rd%21@db.internal/main",
    "p@ss/w0rd!",
    "p%40ss%2Fw0rd%21",
  ],
  "a URL with a token as its user": [`https://${TOKEN}@git.internal/repository`, TOKEN],
  "a URL with a token in its path": [`https://hooks.example.com/services/T000/B000/${TOKEN}`, TOKEN],
  "a URL with a token in its query": [`https://example.com/hook?version=1&token=${PASSWORD}`, PASSWORD],
  "a signed URL": [`https://example.com/blob?se=2026&sig=${encodeURIComponent(BASE64)}`, BASE64],
  "JSON of a service account": [JSON.stringify(ACCOUNT), ...LINES, HEX],
  "the same, indented": [JSON.stringify(ACCOUNT, null, 2), ...LINES, HEX],
  "a URL within JSON": [JSON.stringify({ database: { url: `redis://:${PASSWORD}@cache.internal` } }), PASSWORD],
  "JSON with a list": [JSON.stringify({ tokens: [PASSWORD, "another-of-them"] }), PASSWORD, "another-of-them"],
  "JSON within JSON": [JSON.stringify({ config: JSON.stringify({ password: PASSWORD }) }), PASSWORD],
  "a connection string": [`AccountName=ours;AccountKey=${BASE64};EndpointSuffix=example.net`, BASE64],
  "one with spaces": ["Server=db.internal;User Id=reader;Password=three words 4 it;Encrypt=true", "three words 4 it"],
  "parameters of PostgreSQL": [`host=db.internal user=reader password='${PASSWORD}' dbname=main`, PASSWORD],
  "variables": [`HOST=db.internal\nDB_PASSWORD="${PASSWORD}"\nAPI_KEY=${TOKEN}\n`, PASSWORD, TOKEN],
  "YAML": [`host: db.internal\npassword: ${PASSWORD}\n`, PASSWORD],
  "a header": [`Bearer ${TOKEN}`, TOKEN],
  "a header with its name": [`Authorization: Bearer ${TOKEN}`, TOKEN],
  "a user with a password": [`reader:${PASSWORD}`, PASSWORD],
};

Deno.test("a part that is secret on its own is masked in logs and found in responses", () => {
  for (const [what, [value, ...secret]] of Object.entries(VALUES)) {
    for (const part of secret) {
      const masking = createMasking();
      const call = masking.begin(1);
      masking.recordDisclosure(call, "VALUE", value);
      const forms = [part, JSON.stringify({ part }), btoa(part), encodeURIComponent(part), inspect({ part })];
      for (const form of forms) {
        assert.match(masking.mask(1, `of ${form}`, call), /^of .*\[secret VALUE\]/s, `${what}: ${form}`);
      }
      const found = leakSearch(masking, call).whole(new TextEncoder().encode(`{"password":"${part}"}`));
      assert.deepEqual(found, { names: ["VALUE"], certain: true }, what);
    }
  }
});

Deno.test("what a handler prints of a parsed value shows the rest of it", () => {
  const shown = (value: string, parsed: unknown): string => {
    const masking = createMasking();
    const call = masking.begin(1);
    masking.recordDisclosure(call, "VALUE", value);
    return masking.mask(1, inspect(parsed), call);
  };
  const [url] = VALUES["a database's URL"]!;
  const { username, password, host, pathname } = new URL(url);
  assert.equal(
    shown(url, { username, password, host, pathname }),
    inspect({ username, password: "[secret VALUE]", host, pathname }),
  );
  const text = shown(JSON.stringify(ACCOUNT), ACCOUNT);
  for (const plain of [ACCOUNT.type, ACCOUNT.project_id, ACCOUNT.client_email, ACCOUNT.token_uri, "private_key"]) {
    assert.ok(text.includes(plain), plain);
  }
  // It is printed line by line, and masked as one text.
  assert.ok(!text.includes("PRIVATE KEY"), text);
});

Deno.test("words, names and addresses are no parts, nor is a value one of itself", () => {
  const values = [
    "postgres://postgres:postgres@localhost:5432/postgres",
    "https://api.example.com/v1/organizations/our-organization-2/members",
    JSON.stringify({ host: "db-01.eu-west-1.example.com", author: "Somebody Else", tokenType: "access-and-refresh" }),
    "Server=db-01.eu-west-1.example.com;Database=reporting_2026",
    "admin:password",
    TOKEN,
    HEX,
    "{ not JSON",
    "",
  ];
  for (const value of values) assert.deepEqual(secretPartsOf(value), [], value);
});

Deno.test("the parts of a value are bounded, however many it has and however deep they are", () => {
  const many = JSON.stringify(
    Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`token${n}`, `${PASSWORD}${n}`])),
  );
  assert.equal(secretPartsOf(many).length, 10);
  const deep = `${"[".repeat(8_000)}"${TOKEN}"${"]".repeat(8_000)}`;
  assert.deepEqual(secretPartsOf(deep), []);
});
