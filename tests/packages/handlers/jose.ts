import { jwtVerify, SignJWT } from "npm:jose@6.2.17";

export default async function (c, ctx) {
  const key = new TextEncoder().encode(await ctx.getSecret("API_TOKEN"));
  const token = await new SignJWT({ role: "admin" }).setProtectedHeader({ alg: "HS256" }).setSubject("7")
    .setExpirationTime("1h").sign(key);
  const { payload } = await jwtVerify(token, key);
  const forged = await jwtVerify(`${token.slice(0, -3)}AAA`, key).catch(({ code }) => code);
  return c.json({ sub: payload.sub, role: payload.role, forged });
}
