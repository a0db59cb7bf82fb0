import Stripe from "npm:stripe@23.1.0";

export default async function (c, ctx) {
  const { hostname, port } = new URL(await ctx.getSecret("API_URL"));
  const key = await ctx.getSecret("API_TOKEN");
  const stripe = new Stripe(key, { host: hostname, port, protocol: "http" });
  const intent = await stripe.paymentIntents.create({ amount: 1250, currency: "eur" });
  const declined = await stripe.charges.retrieve("ch_declined").catch(({ type, code }) => ({ type, code }));
  // A webhook: its signature is checked over the raw body.
  const payload = JSON.stringify({ id: "evt_1", type: "payment_intent.succeeded" });
  const signature = await stripe.webhooks.generateTestHeaderStringAsync({ payload, secret: "whsec_test" });
  const event = await stripe.webhooks.constructEventAsync(payload, signature, "whsec_test");
  return c.json({ id: intent.id, amount: intent.amount, declined, event: event.type });
}
