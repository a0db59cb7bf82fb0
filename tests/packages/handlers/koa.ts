import Koa from "npm:koa@3.2.1";
import inject from "npm:light-my-request@6.8.1";

const app = new Koa();
app.use((context) => {
  context.body = { path: context.path, query: context.query };
});

// A function has no port to listen on: requests are handed to the app.
export default async function (c) {
  const response = await inject(app.callback(), { url: "/users?page=2" });
  return c.json(response.json(), response.statusCode);
}
