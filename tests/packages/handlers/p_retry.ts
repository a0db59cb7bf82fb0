import pRetry from "npm:p-retry@9.0.0";

export default async function (c) {
  const attempts = await pRetry((attempt) => {
    if (attempt < 3) throw new Error("not yet");
    return attempt;
  }, { retries: 5, minTimeout: 1 });
  return c.json({ attempts });
}
