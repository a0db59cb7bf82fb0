import { AwsClient } from "npm:aws4fetch@1.0.20";

export default async function (c, ctx) {
  const aws = new AwsClient({
    accessKeyId: await ctx.getSecret("S3_KEY"),
    secretAccessKey: await ctx.getSecret("S3_SECRET"),
    service: "s3",
    region: "us-east-1",
  });
  const url = `${await ctx.getSecret("S3_ENDPOINT")}/app/signed.txt`;
  const put = await aws.fetch(url, { method: "PUT", body: "signed by aws4fetch" });
  const get = await aws.fetch(url);
  return c.json({ put: put.status, text: await get.text() });
}
