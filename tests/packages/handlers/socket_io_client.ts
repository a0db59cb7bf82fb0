import { io } from "npm:socket.io-client@4.8.4";

export default async function (c, ctx) {
  const socket = io(await ctx.getSecret("SOCKET_IO_URL"), { reconnection: false });
  const sum = await new Promise((resolve, reject) => {
    socket.on("connect_error", reject);
    socket.emit("add", 2, 3, resolve);
  });
  const transport = socket.io.engine.transport.name;
  socket.close();
  return c.json({ sum, transport: ["polling", "websocket"].includes(transport) });
}
