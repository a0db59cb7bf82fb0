import Pusher from "npm:pusher@5.3.4";

export default async function (c, ctx) {
  const { hostname, port } = new URL(await ctx.getSecret("API_URL"));
  const pusher = new Pusher({
    appId: "7",
    key: "key",
    secret: await ctx.getSecret("API_TOKEN"),
    host: hostname,
    port,
    useTLS: false,
  });
  const { status } = await pusher.trigger("orders", "created", { id: 7 });
  return c.json({ status, auth: pusher.authorizeChannel("1.2", "private-orders").auth.split(":")[0] });
}
