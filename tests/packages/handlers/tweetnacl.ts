import nacl from "npm:tweetnacl@1.0.3";

export default function (c) {
  const { publicKey, secretKey } = nacl.sign.keyPair();
  const message = new TextEncoder().encode("a message");
  return c.json({ valid: nacl.sign.detached.verify(message, nacl.sign.detached(message, secretKey), publicKey) });
}
