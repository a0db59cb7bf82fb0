import dayjs from "npm:dayjs@1.11.23";
import timezone from "npm:dayjs@1.11.23/plugin/timezone.js";
import utc from "npm:dayjs@1.11.23/plugin/utc.js";

dayjs.extend(utc);
dayjs.extend(timezone);

export default (c) => c.text(dayjs.utc("2026-07-01T12:00:00Z").tz("Europe/Berlin").format("YYYY-MM-DD HH:mm"));
