import { secp256k1 } from "npm:@noble/curves@2.4.0/secp256k1.js";

export default function (c) {
  const { secretKey, publicKey } = secp256k1.keygen();
  const message = new TextEncoder().encode("pay 5 EUR");
  return c.json({ valid: secp256k1.verify(secp256k1.sign(message, secretKey), message, publicKey) });
}
