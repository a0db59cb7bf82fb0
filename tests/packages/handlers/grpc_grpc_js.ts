import grpc from "npm:@grpc/grpc-js@1.14.7";
import { Buffer } from "node:buffer";

let client;

export default async function (c, ctx) {
  client ??= new grpc.Client(await ctx.getSecret("GRPC_HOST"), grpc.credentials.createInsecure());
  const encode = (text) => Buffer.from(text);
  const decode = (bytes) => bytes.toString();
  const deadline = Date.now() + 5_000;
  const answer = await new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/test.Greeter/Greet",
      encode,
      decode,
      "Ada",
      { deadline },
      (error, value) => error ? reject(error) : resolve(value),
    );
  });
  return c.text(answer);
}
