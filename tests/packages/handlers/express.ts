import express from "npm:express@5.3.0";
import inject from "npm:light-my-request@6.8.1";

const app = express();
app.use(express.json());
app.post("/users/:id", (request, response) => response.status(201).json({ id: request.params.id, ...request.body }));

// A function has no port to listen on: requests are handed to the app.
export default async function (c) {
  const response = await inject(app, { method: "POST", url: "/users/7", payload: { name: "Ada" } });
  return c.json(response.json(), response.statusCode);
}
