// Makes certificates for tests, with an authority of their own.

import { join } from "node:path";
import { runProgram } from "./daemon.ts";

/** In PEM. */
export interface ServerCertificate {
  readonly key: string;
  readonly certificate: string;
}

export interface Authority extends AsyncDisposable {
  /** File of its certificate. */
  readonly path: string;
  /** Makes a certificate for a name, such as `DNS:localhost` or `IP:127.0.0.1`. */
  issue(name: string): Promise<ServerCertificate>;
}

const openssl = (...args: string[]) => runProgram("/usr/bin/openssl", args, { asRoot: true });
const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

export async function createAuthority(): Promise<Authority> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-ca-" });
  const file = (name: string) => join(folder, name);
  await openssl(
    ...["req", "-x509", ...CURVE, "-days", "2", "-subj", "/CN=CA of tests"],
    ...["-keyout", file("ca.key"), "-out", file("ca.crt")],
  );
  return {
    path: file("ca.crt"),
    async issue(name) {
      await Deno.writeTextFile(file("names"), `subjectAltName=${name}\n`);
      await openssl(
        ...["req", "-new", ...CURVE, "-subj", "/CN=server of tests"],
        ...["-keyout", file("server.key"), "-out", file("server.csr")],
      );
      await openssl(
        ...["x509", "-req", "-in", file("server.csr"), "-CA", file("ca.crt"), "-CAkey", file("ca.key")],
        ...["-CAcreateserial", "-days", "2", "-extfile", file("names"), "-out", file("server.crt")],
      );
      return {
        key: await Deno.readTextFile(file("server.key")),
        certificate: await Deno.readTextFile(file("server.crt")),
      };
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
