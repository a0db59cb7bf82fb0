// Loaded before every test file: a test that waits for what never comes fails after a while, and tells which it was.

/** Servers, browsers and databases are other processes, which take longer than what runs in the test's own. */
const DEADLINE_MS = /\/tests\/(?:unit|http)\//.test(Deno.mainModule) ? 150_000 : 300_000;
const DEADLINE_MAX_MS = 300_000;
/** How many processes want each processor where these tests run by themselves. */
const OWN_CROWD = 3;

/** How long a test may take on this machine as it is now. */
function deadlineMs(): number {
  const crowd = Deno.loadavg()[0]! / navigator.hardwareConcurrency / OWN_CROWD;
  return Math.min(DEADLINE_MAX_MS, Math.round(DEADLINE_MS * Math.max(1, crowd)));
}

const { test } = Deno;

function withDeadline(fn: Deno.TestDefinition["fn"]): Deno.TestDefinition["fn"] {
  return async (context) => {
    const ms = deadlineMs();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`has not ended after ${ms / 1_000} s`)), ms);
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
