import { DateTime, Duration } from "npm:luxon@3.7.2";

export default (c) =>
  c.json({
    tokyo: DateTime.fromISO("2026-07-01T12:00:00Z").setZone("Asia/Tokyo").toISO(),
    human: Duration.fromObject({ minutes: 95 }).toFormat("h:mm"),
  });
