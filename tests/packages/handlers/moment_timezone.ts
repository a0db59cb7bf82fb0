import moment from "npm:moment-timezone@0.6.6";

export default (c) => c.text(moment.tz("2026-07-01 12:00", "America/New_York").utc().format());
