import WebSocket from "npm:ws@8.23.0";

export default async function (c, ctx) {
  const url = (await ctx.getSecret("API_URL")).replace("http:", "ws:");
  const socket = new WebSocket(`${url}/websocket`);
  const answer = await new Promise((resolve, reject) => {
    socket.on("open", () => socket.send("hello"));
    socket.on("message", (data) => resolve(data.toString()));
    socket.on("error", reject);
  });
  socket.close();
  return c.text(answer);
}
