// Provides the code of a new function: a working example with hints for the next steps.

/** Returns a handler for `route` that greets by a parameter, and signs the name if the secret SIGNING_KEY is set. */
export function templateFor(route: string): string {
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
