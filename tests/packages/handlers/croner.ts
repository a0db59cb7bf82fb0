import { Cron } from "npm:croner@11.0.0";

export default (c) => c.json(new Cron("0 0 1 * *", { timezone: "UTC" }).nextRuns(2, "2026-01-15T00:00:00Z"));
