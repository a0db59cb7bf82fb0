import { SendMessageCommand, SQSClient } from "npm:@aws-sdk/client-sqs@3.1169.0";

export default async function (c, ctx) {
  const api = await ctx.getSecret("API_URL");
  const sqs = new SQSClient({
    endpoint: `${api}/sqs`,
    region: "eu-central-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  const { MessageId } = await sqs.send(
    new SendMessageCommand({ QueueUrl: `${api}/sqs/queue`, MessageBody: "a message" }),
  );
  return c.json({ id: MessageId });
}
