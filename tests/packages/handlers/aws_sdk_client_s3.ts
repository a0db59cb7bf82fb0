import { GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from "npm:@aws-sdk/client-s3@3.1169.0";
import { getSignedUrl } from "npm:@aws-sdk/s3-request-presigner@3.1162.0";

export default async function (c, ctx) {
  const s3 = new S3Client({
    endpoint: await ctx.getSecret("S3_ENDPOINT"),
    region: "eu-central-1",
    forcePathStyle: true,
    credentials: { accessKeyId: await ctx.getSecret("S3_KEY"), secretAccessKey: await ctx.getSecret("S3_SECRET") },
  });
  const object = { Bucket: "app", Key: "reports/2026.txt" };
  await s3.send(new PutObjectCommand({ ...object, Body: "a report", ContentType: "text/plain" }));
  const { Body } = await s3.send(new GetObjectCommand(object));
  const { Contents } = await s3.send(new ListObjectsV2Command({ Bucket: "app", Prefix: "reports/" }));
  const signed = await fetch(await getSignedUrl(s3, new GetObjectCommand(object), { expiresIn: 60 }));
  return c.json({
    text: await Body.transformToString(),
    keys: Contents.map(({ Key }) => Key),
    signed: await signed.text(),
  });
}
