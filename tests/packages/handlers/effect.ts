import { Effect, Schedule } from "npm:effect@4.1.0";

export default async function (c) {
  let attempts = 0;
  const flaky = Effect.suspend(() => ++attempts < 3 ? Effect.fail("not yet") : Effect.succeed("done"));
  const result = await Effect.runPromise(Effect.retry(flaky, Schedule.recurs(5)));
  return c.json({ result, attempts });
}
