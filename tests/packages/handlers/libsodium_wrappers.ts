import sodium from "npm:libsodium-wrappers@0.8.4";

await sodium.ready;

export default function (c) {
  const key = sodium.crypto_secretbox_keygen();
  const nonce = sodium.randombytes_buf(sodium.crypto_secretbox_NONCEBYTES);
  const box = sodium.crypto_secretbox_easy("a text", nonce, key);
  return c.text(sodium.to_string(sodium.crypto_secretbox_open_easy(box, nonce, key)));
}
