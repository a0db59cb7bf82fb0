// Opens a connection to one of PostgreSQL's hosts, encrypted as DATABASE_URL says.

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { isIP, Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { DatabaseHost, DatabaseUrl } from "../../database_url.ts";
import { messageOf } from "../../errors.ts";
import { PostgresSetupError } from "./failures.ts";

/** Length 8 and the code of an SSLRequest: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);
const ACCEPTED = "S".charCodeAt(0);

const CERTIFICATE = /certificate|UnknownIssuer|NotValidForName|altnames|self.signed|CERT_/i;

/**
 * Connects within the URL's time for each host.
 * @throws PostgresSetupError if the server does not offer TLS, or its certificate is not accepted; an error of the network
 */
export async function openSocket(url: DatabaseUrl, { host, port }: DatabaseHost): Promise<Socket> {
  const socket = new Socket();
  const timer = setTimeout(
    () => socket.destroy(Object.assign(new Error("no answer in time"), { code: "ETIMEDOUT" })),
    url.connectTimeoutMs,
  );
  try {
    socket.connect(port, host);
    await next(socket, "connect");
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 5_000);
    if (url.sslMode === "disable") return socket;
    socket.write(SSL_REQUEST);
    const [answer] = await next(socket, "data") as [Uint8Array];
    // More would be from someone between, and taken for the server's encrypted words.
    if (answer.length !== 1) throw new Error(`${host} answers with something else than PostgreSQL's protocol`);
    if (answer[0] === ACCEPTED) return await encrypted(socket, url, host);
    if (url.sslMode === "prefer") return socket;
    throw new PostgresSetupError(`${host} does not offer TLS, which sslmode=${url.sslMode} requires`);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

async function encrypted(socket: Socket, url: DatabaseUrl, host: string): Promise<Socket> {
  const options: ConnectionOptions = { socket, host, servername: isIP(host) ? undefined : host };
  if (url.sslMode === "verify-ca" || url.sslMode === "verify-full") {
    if (url.sslRootCert !== undefined) options.ca = authorities(url.sslRootCert);
    if (url.sslMode === "verify-ca") options.checkServerIdentity = () => undefined;
  } else {
    options.rejectUnauthorized = false;
  }
  const tls = connectTls(options);
  try {
    await next(tls, "secureConnect");
  } catch (error) {
    tls.destroy();
    const why = messageOf(error);
    if (!CERTIFICATE.test(why) && !CERTIFICATE.test(String((error as { code?: string }).code))) throw error;
    throw new PostgresSetupError(`the certificate of ${host} is not accepted with sslmode=${url.sslMode}: ${why}`);
  }
  return tls;
}

function authorities(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new PostgresSetupError(`sslrootcert names ${path}, which cannot be read: ${messageOf(error)}`);
  }
}

/** Resolves with the arguments of the next `event`; rejects if the socket fails or closes before. */
function next(socket: Socket, event: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const closed = () => failed(Object.assign(new Error("the connection was closed"), { code: "ECONNRESET" }));
    const failed = (error: Error) => {
      done();
      reject(error);
    };
    const happened = (...values: unknown[]) => {
      done();
      resolve(values);
    };
    const done = () => {
      socket.off(event, happened);
      socket.off("error", failed);
      socket.off("close", closed);
    };
    socket.on(event, happened);
    socket.on("error", failed);
    socket.on("close", closed);
  });
}
