import moment from "npm:moment@2.31.0";

export default (c) =>
  c.json({
    ago: moment.utc("2026-01-01").from(moment.utc("2026-01-05")),
    iso: moment.utc("01.02.2026", "DD.MM.YYYY").toISOString(),
  });
