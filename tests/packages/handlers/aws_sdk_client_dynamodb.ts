import { CreateTableCommand, DynamoDBClient } from "npm:@aws-sdk/client-dynamodb@3.1162.0";
import { DynamoDBDocumentClient, PutCommand, QueryCommand } from "npm:@aws-sdk/lib-dynamodb@3.1162.0";

export default async function (c, ctx) {
  const client = new DynamoDBClient({
    endpoint: await ctx.getSecret("DYNAMODB_ENDPOINT"),
    region: "eu-central-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  const TableName = `orders-${ctx.requestId}`;
  await client.send(
    new CreateTableCommand({
      TableName,
      BillingMode: "PAY_PER_REQUEST",
      KeySchema: [{ AttributeName: "user", KeyType: "HASH" }, { AttributeName: "at", KeyType: "RANGE" }],
      AttributeDefinitions: [
        { AttributeName: "user", AttributeType: "S" },
        { AttributeName: "at", AttributeType: "N" },
      ],
    }),
  );
  const documents = DynamoDBDocumentClient.from(client);
  await documents.send(new PutCommand({ TableName, Item: { user: "ada", at: 1, items: ["lamp", "desk"] } }));
  const { Items } = await documents.send(
    new QueryCommand({
      TableName,
      KeyConditionExpression: "#user = :user",
      ExpressionAttributeNames: { "#user": "user" },
      ExpressionAttributeValues: { ":user": "ada" },
    }),
  );
  return c.json(Items);
}
