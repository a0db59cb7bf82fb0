import { generateRegistrationOptions } from "npm:@simplewebauthn/server@14.0.3";

export default async function (c) {
  const { rp, challenge } = await generateRegistrationOptions({
    rpName: "Example",
    rpID: "example.com",
    userName: "ada@example.com",
  });
  return c.json({ rp, challenge: challenge.length });
}
