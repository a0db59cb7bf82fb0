import * as Sentry from "npm:@sentry/deno@10.75.2";

let ready = false;

export default async function (c, ctx) {
  if (!ready) {
    const { host } = new URL(await ctx.getSecret("API_URL"));
    Sentry.init({ dsn: `http://public@${host}/7`, defaultIntegrations: false });
    ready = true;
  }
  const id = Sentry.captureMessage("something happened");
  return c.json({ id: id.length, sent: await Sentry.flush(2_000) });
}
