// The code that a new function begins with: it works as it is, and shows where to go on.

/** A handler for `route`, which answers with its parameters and a secret that may be there or not. */
export function templateFor(route: string): string {
  const [parameter] = [...route.matchAll(/:(\w+)/g)].map(([, name]) => name!);
  const who = parameter ? `ctx.params.${parameter}` : `ctx.query.name`;
  const call = parameter ? route.replace(/:\w+(?:\{[^/]*\})?\??/, "Ada").replaceAll(/[{}?]/g, "") : `${route}?name=Ada`;
  return `// c is the request and makes the response; ctx tells of the call and has the secrets.
// Try it: /run${call}
export default async function (c, ctx) {
  const name = ${who} ?? "world";

  // The value set for the caller's key, its group, this function or globally, the first there is.
  // Add a secret named GREETING, and the answer changes at once.
  const greeting = await ctx.getSecret("GREETING") ?? "Hello";

  console.log(\`greeting \${name}\`);
  return c.json({ message: \`\${greeting}, \${name}!\` });
}
`;
}

/** For a file that is not JavaScript or TypeScript, nothing; a module for others. */
export function blankFor(path: string): string {
  return /\.(?:[cm]?[jt]sx?)$/.test(path) ? "// A module: import it from a handler.\nexport {};\n" : "";
}
