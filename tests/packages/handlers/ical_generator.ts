import ical from "npm:ical-generator@11.1.2";

export default function (c) {
  const calendar = ical({ name: "Team" });
  calendar.createEvent({
    start: new Date("2026-03-01T09:00:00Z"),
    end: new Date("2026-03-01T10:00:00Z"),
    summary: "Stand-up",
  });
  return c.body(calendar.toString(), 200, { "Content-Type": "text/calendar" });
}
