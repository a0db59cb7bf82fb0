import rrule from "npm:rrule@2.8.1";

export default (c) =>
  c.json(rrule.RRule.fromString("DTSTART:20260101T090000Z\nRRULE:FREQ=WEEKLY;COUNT=3;BYDAY=TH").all());
