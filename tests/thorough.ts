// How many inputs a property is tried with: few in every run, many in `deno task test:thorough`.

const IS_THOROUGH = Deno.env.get("TEST_THOROUGH") === "1";

/** Returns `usual`, or `thorough` in a thorough run. */
export function runs(usual: number, thorough: number): number {
  return IS_THOROUGH ? thorough : usual;
}
