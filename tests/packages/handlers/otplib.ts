import { generate, generateSecret, verify } from "npm:otplib@13.5.0";

export default async function (c) {
  const secret = generateSecret();
  const token = await generate({ secret });
  const { valid } = await verify({ secret, token });
  return c.json({ digits: token.length, valid });
}
