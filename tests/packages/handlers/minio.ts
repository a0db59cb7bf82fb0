import { Client } from "npm:minio@8.0.7";

export default async function (c, ctx) {
  const { hostname, port } = new URL(await ctx.getSecret("S3_ENDPOINT"));
  const minio = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: await ctx.getSecret("S3_KEY"),
    secretKey: await ctx.getSecret("S3_SECRET"),
    region: "us-east-1",
  });
  await minio.putObject("app", "minio.txt", "stored by minio");
  let text = "";
  for await (const chunk of await minio.getObject("app", "minio.txt")) text += chunk;
  return c.text(text);
}
