import { addMonths, format, parseISO } from "npm:date-fns@4.4.0";
import { de } from "npm:date-fns@4.4.0/locale";

export default (c) =>
  c.json({
    next: format(addMonths(parseISO("2026-01-31"), 1), "yyyy-MM-dd"),
    day: format(parseISO("2026-03-03"), "EEEE", { locale: de }),
  });
