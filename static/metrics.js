// Draws the charts of the metrics page from its table, so that both show the same data, and refreshes them.

import uPlot from "./uplot.js";

const HEIGHT = 200;
const DAY_SECONDS = 86_400;
/** By the number of a line's class: distinguished by dashes as well as by color. */
const LINES = [
  { color: "--chart-1", dash: [] },
  { color: "--chart-2", dash: [6, 3] },
  { color: "--chart-3", dash: [2, 3] },
  { color: "--chart-4", dash: [10, 3, 2, 3] },
];
/** Shares of a period that bars are wide, from the first on: what is a part of another is narrower. */
const BAR_WIDTHS = [0.8, 0.5, 0.3, 0.15];
/** Steps of an axis of whole numbers. */
const WHOLE = [1, 2, 5].flatMap((step) => Array.from({ length: 10 }, (_, power) => step * 10 ** power)).sort((a, b) =>
  a - b
);

const REFRESH_MS = 30_000;

let rows = [];
let times = [];
let heads = [];
let charts = [];
/** Columns that are hidden by their legend. */
const hidden = new Set();

/** Reads the table, which a refresh replaces. */
function readTable() {
  const table = document.getElementById("numbers");
  rows = [...table?.tBodies[0].rows ?? []];
  times = rows.map((row) => Number(row.dataset.at));
  heads = [...table?.tHead.rows[0].cells ?? []];
}

/** Returns a column's values; null where there is none. */
function valuesOf(id) {
  const { cellIndex } = heads.find((head) => head.dataset.column === id);
  return rows.map((row) => {
    const text = row.cells[cellIndex].textContent;
    return text === "–" ? null : Number(text.replaceAll(",", ""));
  });
}

const NUMBER = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const COUNT = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

function textOf(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "") return COUNT.format(value);
  return value < 1_000 ? `${NUMBER.format(value)} ms` : `${NUMBER.format(value / 1_000)} s`;
}

/** Formats times of these charts in the zone of the page: for their axes and for a single one. */
function timeFormats() {
  // In 24 hours; only the date where each point is a day.
  const [first = 0, second = 0] = times;
  // From app.js, so that all pages format times in the same way.
  const timeZone = globalThis.timeZone();
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone });
  const isDaily = second - first >= DAY_SECONDS;
  return {
    timeZone,
    one: (at) => isDaily ? day.format(at * 1000) : `${day.format(at * 1000)}, ${clock.format(at * 1000)}`,
    marks: (_, splits) => {
      let shown = "";
      return splits.map((at) => {
        const date = day.format(at * 1000);
        const text = isDaily ? date : date === shown ? clock.format(at * 1000) : `${clock.format(at * 1000)}\n${date}`;
        shown = date;
        return text;
      });
    },
  };
}

/** Draws a step as long as its period for each value, so that a single minute is a line, too. */
function steps(lengthSeconds) {
  return (chart, series, first, last) => {
    const stroke = new Path2D();
    const [xs, ys] = [chart.data[0], chart.data[series]];
    for (let at = first, isJoined = false; at <= last; at++) {
      if (ys[at] === null || ys[at] === undefined) {
        isJoined = false;
        continue;
      }
      const y = Math.round(chart.valToPos(ys[at], "y", true));
      const [from, to] = [xs[at], xs[at] + lengthSeconds].map((x) => chart.valToPos(x, "x", true));
      if (isJoined) stroke.lineTo(from, y);
      else stroke.moveTo(from, y);
      stroke.lineTo(to, y);
      isJoined = true;
    }
    return { stroke, fill: null, clip: null, flags: 1 };
  };
}

function seriesOf(item, kind, lengthSeconds, color) {
  const number = Number(/line-(\d)/.exec(item.className)[1]) - 1;
  const { color: name, dash } = LINES[number];
  const shared = { show: !hidden.has(item.dataset.column), points: { show: false } };
  if (kind === "bars") {
    const paths = uPlot.paths.bars({ size: [BAR_WIDTHS[number], Infinity, 1], align: 1 });
    return { ...shared, stroke: color(name), fill: color(name), width: 0, paths };
  }
  return { ...shared, stroke: color(name), width: 2, dash, paths: steps(lengthSeconds) };
}

function draw(figure) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const { kind, unit, length } = figure.dataset;
  const items = [...figure.querySelectorAll(".legend-item")];
  const formats = timeFormats();
  const font = `12px ${getComputedStyle(document.body).fontFamily}`;
  const axis = {
    stroke: color("--quiet"),
    font,
    grid: { stroke: color("--line"), width: 1 },
    ticks: { show: false },
  };
  const plot = figure.querySelector(".plot");
  const [lengthSeconds, last] = [Number(length), times.at(-1)];
  const options = {
    width: plot.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, y: false, points: { show: false }, sync: { key: "metrics" } },
    scales: {
      x: { range: [times[0], last + lengthSeconds] },
      y: { range: (_, least, most) => [Math.min(0, least ?? 0), Math.max(1, (most ?? 0) * 1.1)] },
    },
    tzDate: (at) =>
      formats.timeZone === undefined ? new Date(at * 1000) : uPlot.tzDate(new Date(at * 1000), formats.timeZone),
    axes: [
      { ...axis, values: formats.marks, grid: { show: false } },
      {
        ...axis,
        size: 64,
        values: (_, splits) => splits.map((value) => textOf(value, unit)),
        ...(unit === "" && { incrs: WHOLE }),
      },
    ],
    series: [{}, ...items.map((item) => seriesOf(item, kind, lengthSeconds, color))],
    hooks: { draw: [drawChanges], setCursor: [(chart) => showValues(figure, items, chart, formats)] },
  };
  plot.replaceChildren();
  const chart = new uPlot(options, [times, ...items.map(({ dataset }) => valuesOf(dataset.column))], plot);
  for (const [index, item] of items.entries()) {
    item.setAttribute("aria-pressed", String(!hidden.has(item.dataset.column)));
    item.onclick = () => {
      const isShown = hidden.has(item.dataset.column);
      if (isShown) hidden.delete(item.dataset.column);
      else hidden.add(item.dataset.column);
      item.setAttribute("aria-pressed", String(isShown));
      chart.setSeries(index + 1, { show: isShown });
    };
  }
  return chart;
}

/** Shows the time that is pointed at, and its values in the legend. */
function showValues(figure, items, chart, formats) {
  const at = chart.cursor.idx;
  const isOver = at !== null && at !== undefined && chart.cursor.left >= 0;
  figure.querySelector(".at").textContent = isOver ? formats.one(times[at]) : "";
  for (const [index, item] of items.entries()) {
    item.querySelector(".value").textContent = isOver ? textOf(chart.data[index + 1][at], figure.dataset.unit) : "";
  }
}

/** Draws a line for each deployment and change of a function; the list below the charts says which. */
function drawChanges(chart) {
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.strokeStyle = getComputedStyle(document.documentElement).getPropertyValue("--quiet").trim();
  ctx.setLineDash([3, 3]);
  ctx.lineWidth = 1;
  for (const change of document.querySelectorAll("#changes > [data-at]")) {
    const x = Math.round(chart.valToPos(Number(change.dataset.at), "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
  }
  ctx.restore();
}

/** Adds links to the lines, as what is drawn cannot be followed. They are next to the picture, which can have none. */
function linkChanges(figure, chart) {
  figure.querySelector(".change-marks")?.remove();
  const marks = document.createElement("div");
  marks.className = "change-marks";
  // The list has the same links for those who use the keyboard or a screen reader.
  marks.setAttribute("aria-hidden", "true");
  const [at, own] = [chart.over.getBoundingClientRect(), figure.getBoundingClientRect()];
  for (const change of document.querySelectorAll("#changes > [data-at]")) {
    const x = chart.valToPos(Number(change.dataset.at), "x");
    if (x < 0 || x > at.width) continue;
    const link = change.querySelector("a").cloneNode(true);
    link.className = "change-mark";
    link.title = link.textContent;
    link.textContent = "";
    link.tabIndex = -1;
    link.style.left = `${at.left - own.left + x}px`;
    link.style.top = `${at.top - own.top}px`;
    link.style.height = `${at.height}px`;
    marks.append(link);
  }
  figure.append(marks);
}

function drawAll() {
  for (const { chart, observer } of charts) {
    observer.disconnect();
    chart.destroy();
  }
  charts = [...document.querySelectorAll("[data-chart]")].map((figure) => {
    figure.hidden = false;
    const chart = draw(figure);
    linkChanges(figure, chart);
    const observer = new ResizeObserver(([{ contentRect }]) => {
      const width = Math.floor(contentRect.width);
      if (width === 0 || width === chart.width) return;
      chart.setSize({ width, height: HEIGHT });
      linkChanges(figure, chart);
    });
    observer.observe(figure.querySelector(".plot"));
    return { chart, observer };
  });
}

/** Replaces the numbers by those of now, and keeps the table open if it is. */
async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error("no metrics");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("metrics");
  if (!fresh) throw new Error("no metrics");
  const isOpen = document.getElementById("all-numbers")?.open ?? false;
  fresh.querySelector("#refreshing").replaceWith(document.getElementById("refreshing"));
  document.getElementById("metrics").replaceWith(fresh);
  const numbers = document.getElementById("all-numbers");
  if (numbers) numbers.open = isOpen;
  // From app.js.
  globalThis.showTimes?.(fresh);
  readTable();
  drawAll();
}

/** Refreshes twice a minute while the page is seen, until the user pauses it. */
function keepFresh() {
  const box = document.getElementById("refreshing");
  const [state, button] = [box.querySelector("[role=status]"), box.querySelector("button")];
  let timer;
  const say = (text, kind) => {
    state.textContent = text;
    state.className = `status ${kind}`;
  };
  const start = () => {
    say("Refreshes automatically", "ok");
    button.textContent = "Pause";
    timer = setInterval(() => {
      // Neither unseen nor while the focus is in it.
      const isUsed = document.getElementById("metrics").contains(document.activeElement);
      if (document.hidden || isUsed) return;
      refresh().then(() => say("Refreshes automatically", "ok"), () => {
        say("Could not be refreshed; trying again", "warn");
      });
    }, REFRESH_MS);
  };
  button.addEventListener("click", () => {
    if (timer === undefined) return start();
    clearInterval(timer);
    timer = undefined;
    say("Paused", "off");
    button.textContent = "Resume";
  });
  box.hidden = false;
  start();
}

for (const form of document.querySelectorAll("form[data-apply]")) {
  form.querySelector("button[type=submit]").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}
readTable();
drawAll();
keepFresh();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("time-zone", drawAll);
