import { Queue, QueueEvents, Worker } from "npm:bullmq@6.7.0";
import Redis from "npm:ioredis@6.0.0";

export default async function (c, ctx) {
  const url = await ctx.getSecret("REDIS_URL");
  const connect = () => new Redis(url, { maxRetriesPerRequest: null });
  const connections = [connect(), connect(), connect()];
  const queue = new Queue("sums", { connection: connections[0] });
  const events = new QueueEvents("sums", { connection: connections[1] });
  const worker = new Worker("sums", (job) => Promise.resolve(job.data.a + job.data.b), { connection: connections[2] });
  await events.waitUntilReady();
  const job = await queue.add("add", { a: 2, b: 3 });
  const sum = await job.waitUntilFinished(events);
  await Promise.all([worker.close(), events.close(), queue.close()]);
  for (const connection of connections) connection.disconnect();
  return c.json({ sum });
}
