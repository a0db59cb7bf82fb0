// Replaces the environment that a handler sees by one object in memory, whichever API it uses. It contains nothing of
// the machine's environment, and Deno does not see what is set in it; otherwise it would read proxies, certificates and
// other settings from there.
//
// Deno's Node modules call `Deno.env` whenever `process.env` is used, whether it was taken from the global, from
// `node:process` or by `require`, so it is replaced only here (Deno 2.9.6; the process runs with `--ignore-env`, so
// that the original is empty).

const values: Record<string, string> = { __proto__: null as never, NODE_ENV: "production", HOME: "/" };

// Taken before the handler's code can replace them.
const { assign, hasOwn, setPrototypeOf } = Object;
const TypeErrorClass = TypeError;

const INVALID_NAME = /^$|[=\0]/;

export function ownEnvironment(): void {
  assign(Deno.env, {
    get: (name: string): string | undefined => values[`${name}`],
    has: (name: string): boolean => hasOwn(values, `${name}`),
    set(name: string, value: string): void {
      const key = `${name}`;
      const text = `${value}`;
      if (INVALID_NAME.test(key)) {
        throw new TypeErrorClass(`The name of a variable must not be empty or contain "=" or NUL: ${key}`);
      }
      if (text.includes("\0")) throw new TypeErrorClass(`The value of a variable must not contain NUL: ${key}`);
      values[key] = text;
    },
    delete: (name: string): void => void delete values[`${name}`],
    toObject: (): Record<string, string> => setPrototypeOf({ ...values }, null),
  });
}
