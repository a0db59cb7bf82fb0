import forge from "npm:node-forge@1.4.3";

export default function (c) {
  const keys = forge.pki.rsa.generateKeyPair(1024);
  const certificate = forge.pki.createCertificate();
  certificate.publicKey = keys.publicKey;
  certificate.setSubject([{ name: "commonName", value: "example.com" }]);
  certificate.setIssuer([{ name: "commonName", value: "example.com" }]);
  certificate.sign(keys.privateKey, forge.md.sha256.create());
  return c.json({ pem: forge.pki.certificateToPem(certificate).split("\r\n")[0] });
}
