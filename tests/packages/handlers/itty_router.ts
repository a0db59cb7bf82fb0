import { AutoRouter, error } from "npm:itty-router@6.0.0";

const router = AutoRouter({ base: "/run/itty_router" });
router.get("/", () => ({ home: true }));
router.get("/users/:id", ({ id, query }) => id === "7" ? { id, ...query } : error(404, "No such user"));

export default (c) => router.fetch(c.req.raw);
