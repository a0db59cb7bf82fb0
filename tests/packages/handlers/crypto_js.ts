import CryptoJS from "npm:crypto-js@4.2.0";

export default function (c) {
  const encrypted = CryptoJS.AES.encrypt("a text", "passphrase").toString();
  return c.json({
    decrypted: CryptoJS.AES.decrypt(encrypted, "passphrase").toString(CryptoJS.enc.Utf8),
    md5: CryptoJS.MD5("abc").toString(),
  });
}
