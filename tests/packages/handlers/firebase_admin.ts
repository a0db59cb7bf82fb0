import { initializeApp } from "npm:firebase-admin@14.5.1/app";
import { getAuth } from "npm:firebase-admin@14.5.1/auth";
import process from "node:process";

let auth;

export default async function (c, ctx) {
  if (!auth) {
    process.env.FIREBASE_AUTH_EMULATOR_HOST = new URL(await ctx.getSecret("API_URL")).host;
    auth = getAuth(initializeApp({ projectId: "app" }));
  }
  const user = await auth.getUser("7");
  const token = await auth.createCustomToken("7", { admin: true });
  return c.json({ email: user.email, parts: token.split(".").length });
}
