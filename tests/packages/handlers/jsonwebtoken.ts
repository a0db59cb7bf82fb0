import jwt from "npm:jsonwebtoken@9.0.3";

export default async function (c, ctx) {
  const secret = await ctx.getSecret("API_TOKEN");
  const token = jwt.sign({ sub: "7" }, secret, { expiresIn: "1h" });
  const { sub } = jwt.verify(token, secret);
  let failure;
  try {
    jwt.verify(token, "another secret");
  } catch (error) {
    failure = error.message;
  }
  return c.json({ sub, failure });
}
