import { SquareClient } from "npm:square@46.0.0";

export default async function (c, ctx) {
  const client = new SquareClient({
    token: await ctx.getSecret("API_TOKEN"),
    baseUrl: `${await ctx.getSecret("API_URL")}/square`,
  });
  const { payment } = await client.payments.create({
    sourceId: "cnon:card-nonce-ok",
    idempotencyKey: ctx.requestId,
    amountMoney: { amount: 1250n, currency: "EUR" },
  });
  return c.json({ id: payment.id, amount: String(payment.amountMoney.amount) });
}
