import { validateSignature } from "npm:@line/bot-sdk@11.2.0";
import { createHmac } from "node:crypto";

export default async function (c, ctx) {
  const secret = await ctx.getSecret("API_TOKEN");
  const signature = createHmac("sha256", secret).update("a body").digest("base64");
  return c.json([validateSignature("a body", secret, signature), validateSignature("another", secret, signature)]);
}
