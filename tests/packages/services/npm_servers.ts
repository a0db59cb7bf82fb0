// Servers that are npm packages and run in the test's own process.

import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import type { AddressInfo, Server } from "node:net";
import grpc from "@grpc/grpc-js";
import dynalite from "dynalite";
import S3rver from "s3rver";
import { SMTPServer } from "smtp-server";
import { Server as SocketIoServer } from "socket.io";
import { dataFolder, type Service } from "./service.ts";

const PASSWORD = "a-password-of-tests";

/** An SMTP server that asks for a password and keeps what it is sent. */
export async function startSmtp(): Promise<Service> {
  const messages: string[] = [];
  const server = new SMTPServer({
    authMethods: ["PLAIN"],
    allowInsecureAuth: true,
    disabledCommands: ["STARTTLS"],
    onAuth: ({ username, password }, _session, done) =>
      password === PASSWORD ? done(null, { user: username }) : done(new Error("Invalid username or password")),
    onData: async (stream, _session, done) => {
      let text = "";
      for await (const chunk of stream) text += chunk;
      messages.push(text);
      done();
    },
  });
  const port = await listen(server.server, (port, host, listening) => server.listen(port, host, listening));
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { SMTP_URL: `smtp://app:${PASSWORD}@127.0.0.1:${port}` },
    received: () => messages,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** An S3 server with a bucket `app`. Its key and secret are fixed by the package. */
export async function startS3(): Promise<Service> {
  const directory = await dataFolder("s3");
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: "app", configs: [] }],
  });
  const { port } = await server.run();
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { S3_ENDPOINT: `http://127.0.0.1:${port}`, S3_KEY: "S3RVER", S3_SECRET: "S3RVER" },
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await Deno.remove(directory, { recursive: true });
    },
  };
}

/** A DynamoDB server, in memory. */
export async function startDynamodb(): Promise<Service> {
  const server = dynalite({ createTableMs: 0 });
  const port = await listen(server, (port, host, listening) => server.listen(port, host, listening));
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { DYNAMODB_ENDPOINT: `http://127.0.0.1:${port}` },
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** A Socket.IO server that answers the event `add` with a sum. */
export async function startSocketIo(): Promise<Service> {
  const server = createServer();
  const io = new SocketIoServer(server);
  io.on("connection", (socket) => {
    socket.on("add", (a: number, b: number, answer: (sum: number) => void) => answer(a + b));
  });
  const port = await listen(server, (port, host, listening) => server.listen(port, host, listening));
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { SOCKET_IO_URL: `http://127.0.0.1:${port}` },
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => io.close(() => resolve())),
  };
}

/** Listens on a free port of loopback; the port. */
function listen(
  server: Pick<Server, "address" | "once">,
  start: (port: number, host: string, listening: () => void) => unknown,
): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    start(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}

/** A gRPC server with one method, whose messages are texts instead of protocol buffers. */
export async function startGrpc(): Promise<Service> {
  const server = new grpc.Server();
  const encode = (text: string) => Buffer.from(text);
  const decode = (bytes: Buffer) => bytes.toString();
  server.addService({
    Greet: {
      path: "/test.Greeter/Greet",
      requestStream: false,
      responseStream: false,
      requestSerialize: encode,
      requestDeserialize: decode,
      responseSerialize: encode,
      responseDeserialize: decode,
    },
  }, {
    Greet: (
      { request }: grpc.ServerUnaryCall<string, string>,
      done: grpc.sendUnaryData<string>,
    ) => done(null, `Hello, ${request}.`),
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, port) => error ? reject(error) : resolve(port));
  });
  return {
    hosts: [`127.0.0.1:${port}`],
    secrets: { GRPC_HOST: `127.0.0.1:${port}` },
    [Symbol.asyncDispose]: () => Promise.resolve(server.forceShutdown()),
  };
}
