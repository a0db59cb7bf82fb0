import { OAuth2Client } from "npm:google-auth-library@11.3.4";

export default async function (c, ctx) {
  const api = await ctx.getSecret("API_URL");
  const client = new OAuth2Client({
    clientId: "app",
    clientSecret: await ctx.getSecret("API_TOKEN"),
    redirectUri: "https://example.com/callback",
    endpoints: { oauth2TokenUrl: `${api}/google/token`, oauth2AuthBaseUrl: "https://accounts.example.com/auth" },
  });
  const url = new URL(client.generateAuthUrl({ scope: "email", state: "state" }));
  const { tokens } = await client.getToken("a-code");
  return c.json({ scope: url.searchParams.get("scope"), token: tokens.access_token });
}
