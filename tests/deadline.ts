// Loaded before every test file: a test that waits for what never comes fails after a while, and tells which it was.

const DEADLINE_MS = 300_000;

const { test } = Deno;

function withDeadline(fn: Deno.TestDefinition["fn"]): Deno.TestDefinition["fn"] {
  return async (context) => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`has not ended after ${DEADLINE_MS / 1_000} s`)), DEADLINE_MS);
    });
    try {
      await Promise.race([fn(context), late]);
    } finally {
      clearTimeout(timer);
    }
  };
}

/** Of the ways to define a test, those that are used here. */
function define(first: string | Deno.TestDefinition, fn?: Deno.TestDefinition["fn"]): void {
  const definition = typeof first === "string" ? { name: first, fn: fn! } : first;
  test({ ...definition, fn: withDeadline(definition.fn) });
}

Object.assign(Deno, { test: Object.assign(define, test) });
