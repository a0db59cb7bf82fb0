import { GetObjectCommand, S3Client } from "npm:@aws-sdk/client-s3@3.1169.0";
import { Upload } from "npm:@aws-sdk/lib-storage@3.1169.0";

export default async function (c, ctx) {
  const client = new S3Client({
    endpoint: await ctx.getSecret("S3_ENDPOINT"),
    region: "eu-central-1",
    forcePathStyle: true,
    credentials: { accessKeyId: await ctx.getSecret("S3_KEY"), secretAccessKey: await ctx.getSecret("S3_SECRET") },
  });
  const object = { Bucket: "app", Key: "large.bin" };
  // Of more than one part of 5 MB.
  await new Upload({ client, params: { ...object, Body: new Uint8Array(6_000_000).fill(7) } }).done();
  const { ContentLength, Body } = await client.send(new GetObjectCommand(object));
  const bytes = await Body.transformToByteArray();
  return c.json({ length: ContentLength, last: bytes.at(-1) });
}
