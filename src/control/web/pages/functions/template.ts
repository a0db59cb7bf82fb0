// The code that a new function begins with: it works as it is, and shows where to go on.

/** Returns a handler for `route`, which answers with a parameter and a signature by a secret that may be missing. */
export function templateFor(route: string): string {
  const [parameter] = [...route.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const who = parameter ? `ctx.params.${parameter}` : `ctx.query.name`;
  const call = parameter ? route.replace(/:\w+(?:\{[^/]*\})?\??/, "Ada").replaceAll(/[{}?]/g, "") : `${route}?name=Ada`;
  return `import { createHmac } from "node:crypto";

// c is the request and makes the response; ctx knows the call and has the secrets.
// Try it: /run${call}
export default async function (c, ctx) {
  const name = ${who} ?? "world";

  // The value set for the caller's key, its group, this function or globally, the first there is.
  // Add a secret named SIGNING_KEY, and the signature appears. The value itself is used, never sent.
  const key = await ctx.getSecret("SIGNING_KEY");
  const signature = key ? createHmac("sha256", key).update(name).digest("hex") : null;

  console.log(\`greeting \${name}\`);
  return c.json({ message: \`Hello, \${name}!\`, signature });
}
`;
}

/** For a file that is not JavaScript or TypeScript, nothing; a module for others. */
export function blankFor(path: string): string {
  return /\.(?:[cm]?[jt]sx?)$/.test(path) ? "// A module: import it from a handler.\nexport {};\n" : "";
}
