// Formats times in a zone, as static/app.js does in the browser, so that a page shows the same before its scripts run.

/** How much of a time is shown: "precise" is to the millisecond; the others where its day, or its length, is clear. */
export type TimeForm = "whole" | "precise" | "day" | "day-minute" | "minute" | "second";

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Returns a time as a text, such as "31 Jan 2026, 12:00"; whole ones in UTC say so. */
export function timeText(ms: number, zone: string, form: TimeForm = "whole"): string {
  const { year, month, day, hour, minute, second } = partsOf(ms, zone);
  const date = `${Number(day)} ${MONTHS[Number(month) - 1]}`;
  const suffix = zone === "UTC" ? " UTC" : "";
  switch (form) {
    case "whole":
      return `${date} ${year}, ${hour}:${minute}${suffix}`;
    case "precise":
      return `${year}-${month}-${day} ${hour}:${minute}:${second}.${new Date(ms).toISOString().slice(20, 23)}${suffix}`;
    case "day":
      return date;
    case "day-minute":
      return `${date} ${hour}:${minute}`;
    case "minute":
      return `${hour}:${minute}`;
    case "second":
      return `${hour}:${minute}:${second}`;
  }
}

type Part = "year" | "month" | "day" | "hour" | "minute" | "second";

function partsOf(ms: number, zone: string): Readonly<Record<Part, string>> {
  if (zone === "UTC") {
    const [year, month, day, hour, minute, second] = new Date(ms).toISOString().split(/[-T:.]/) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ];
    return { year, month, day, hour, minute, second };
  }
  return Object.fromEntries(formatOf(zone).formatToParts(ms).map(({ type, value }) => [type, value])) as Record<
    Part,
    string
  >;
}

/** Kept: to make one takes 50 µs. There are some 400 zones. */
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  let format = formats.get(timeZone);
  if (!format) {
    const two = "2-digit";
    const parts = { year: "numeric", month: two, day: two, hour: two, minute: two, second: two } as const;
    formats.set(timeZone, format = new Intl.DateTimeFormat("en-GB", { ...parts, timeZone, hourCycle: "h23" }));
  }
  return format;
}

/** A time as components render it, in UTC: the time itself, other attributes, the text. */
const TIME = /<time datetime="([^"]+)"([^>]*)>([^<]*)<\/time>/g;

/** Returns a page with its times in a zone; the titles of texts in another one than UTC are in UTC. */
export function inZone(html: string, zone: string): string {
  if (zone === "UTC") return html;
  return html.replace(TIME, (whole, iso: string, attributes: string, text: string) => {
    const ms = Date.parse(iso);
    if (Number.isNaN(ms)) return whole;
    const form = /data-form="([\w-]+)"/.exec(attributes)?.[1] as TimeForm | undefined;
    // Of a text such as "3 days ago", the exact time is the title.
    if (attributes.includes("data-relative")) {
      return whole.replace(/title="[^"]*"/, `title="${timeText(ms, zone)}"`);
    }
    const title = form === undefined ? ` title="${text}"` : "";
    return `<time datetime="${iso}"${title}${attributes}>${timeText(ms, zone, form)}</time>`;
  });
}
