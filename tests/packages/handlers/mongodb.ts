import { MongoClient } from "npm:mongodb@7.8.0";

export default async function (c) {
  const client = new MongoClient("mongodb://127.0.0.1:9/app", { serverSelectionTimeoutMS: 500 });
  try {
    await client.db().collection("users").findOne({ name: "Ada" });
    return c.json({ connected: true });
  } catch (error) {
    return c.json({ error: error.name, refused: error.message.includes("ECONNREFUSED") });
  } finally {
    await client.close();
  }
}
