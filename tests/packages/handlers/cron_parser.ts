import { CronExpressionParser } from "npm:cron-parser@5.10.5";

export default (c) =>
  c.text(
    CronExpressionParser.parse("30 9 * * MON", { currentDate: "2026-01-01T00:00:00Z", tz: "UTC" }).next().toISOString(),
  );
