import cassandra from "npm:cassandra-driver@4.10.0";

export default async function (c) {
  const client = new cassandra.Client({ contactPoints: ["127.0.0.1:9"], localDataCenter: "datacenter1" });
  try {
    await client.execute("SELECT name FROM users WHERE id = ?", [7], { prepare: true });
    return c.json({ connected: true });
  } catch (error) {
    return c.json({ error: error.name });
  } finally {
    await client.shutdown();
  }
}
