// Provides the code of a new function: working examples with hints for the next steps.

export const TEMPLATES = {
  hello: { title: "Greeting", meaning: "Answers by a parameter, signed if a secret is set." },
  api: { title: "JSON API with a secret", meaning: "Asks another service with a token, and answers with its JSON." },
  webhook: { title: "Webhook", meaning: "Takes POST with a signature, which it checks by a secret." },
} as const;

export type Template = keyof typeof TEMPLATES;

/** Returns the code of a handler for `route`. */
export function templateFor(route: string, template: Template = "hello"): string {
  if (template === "api") return API;
  if (template === "webhook") return WEBHOOK;
  return greetingFor(route);
}

const API = `// c is the request and creates the response; ctx describes the call and provides secrets.
export default async function (c, ctx) {
  // Add a secret named API_TOKEN with the token of the service.
  const token = await ctx.getSecret("API_TOKEN");
  if (!token) return c.json({ error: "The secret API_TOKEN is not set." }, 500);

  const response = await fetch("https://api.example.com/items", {
    headers: { Authorization: \`Bearer \${token}\` },
  });
  if (!response.ok) {
    console.error(\`The service answered \${response.status}\`);
    return c.json({ error: "The service failed." }, 502);
  }
  return c.json(await response.json());
}
`;

const WEBHOOK = `import { createHmac, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";

// The sender signs the body with HMAC-SHA-256 and sends "sha256=" and the signature in hexadecimal, as GitHub does.
const SIGNATURE = "X-Hub-Signature-256";

// c is the request and creates the response; ctx describes the call and provides secrets.
export default async function (c, ctx) {
  // Add a secret named WEBHOOK_SECRET with the value that the sender signs with.
  const key = await ctx.getSecret("WEBHOOK_SECRET");
  if (!key) return c.json({ error: "The secret WEBHOOK_SECRET is not set." }, 500);

  const body = await c.req.text();
  const expected = Buffer.from("sha256=" + createHmac("sha256", key).update(body).digest("hex"));
  const given = Buffer.from(c.req.header(SIGNATURE) ?? "");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
    return c.json({ error: "The signature is wrong." }, 401);
  }

  console.log(\`received \${body.length} characters\`);
  return c.json({ received: true });
}
`;

/** Returns a handler that greets by a parameter of the route, and signs the name if the secret SIGNING_KEY is set. */
function greetingFor(route: string): string {
  const [parameter] = [...route.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const who = parameter ? `ctx.params.${parameter}` : `ctx.query.name`;
  const call = parameter ? route.replace(/:\w+(?:\{[^/]*\})?\??/, "Ada").replaceAll(/[{}?]/g, "") : `${route}?name=Ada`;
  return `import { createHmac } from "node:crypto";

// c is the request and creates the response; ctx describes the call and provides secrets.
// Try it: /run${call}
export default async function (c, ctx) {
  const name = ${who} ?? "world";

  // The first value that is set for the caller's key, its group, this function, or globally.
  // Add a secret named SIGNING_KEY to get a signature. The value itself is never sent.
  const key = await ctx.getSecret("SIGNING_KEY");
  const signature = key ? createHmac("sha256", key).update(name).digest("hex") : null;

  console.log(\`greeting \${name}\`);
  return c.json({ message: \`Hello, \${name}!\`, signature });
}
`;
}

/** Returns the content of a new file: an empty module for JavaScript and TypeScript, "" for others. */
export function blankFor(path: string): string {
  return /\.(?:[cm]?[jt]sx?)$/.test(path) ? "// A module: import it from a handler.\nexport {};\n" : "";
}
