import * as client from "npm:openid-client@6.8.9";

export default async function (c, ctx) {
  const config = await client.discovery(
    new URL(`${await ctx.getSecret("API_URL")}/oidc`),
    "app",
    await ctx.getSecret("API_TOKEN"),
    undefined,
    { execute: [client.allowInsecureRequests] },
  );
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: "https://example.com/callback",
    scope: "openid email",
    code_challenge: await client.calculatePKCECodeChallenge(client.randomPKCECodeVerifier()),
    code_challenge_method: "S256",
  });
  return c.json({ path: url.pathname, scope: url.searchParams.get("scope") });
}
