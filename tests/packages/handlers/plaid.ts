import { Configuration, PlaidApi } from "npm:plaid@47.0.0";

export default async function (c, ctx) {
  const plaid = new PlaidApi(
    new Configuration({
      basePath: `${await ctx.getSecret("API_URL")}/plaid`,
      baseOptions: { headers: { "PLAID-CLIENT-ID": "app", "PLAID-SECRET": await ctx.getSecret("API_TOKEN") } },
    }),
  );
  const { data } = await plaid.accountsBalanceGet({ access_token: "access-sandbox-7" });
  return c.json(data.accounts);
}
