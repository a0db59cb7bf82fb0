// Draws the charts of the metrics page from its table, so that both show the same data, and refreshes them.

import uPlot from "./uplot.js";

const HEIGHT = 220;
const DAY_SECONDS = 86_400;
/** Distinguished by dashes as well as by color. */
const LINES = [
  { color: "--chart-1", dash: [] },
  { color: "--chart-2", dash: [6, 3] },
  { color: "--chart-3", dash: [2, 3] },
  { color: "--chart-4", dash: [10, 3, 2, 3] },
];

const REFRESH_MS = 30_000;

let rows = [];
let times = [];
let heads = [];
let charts = [];

/** Reads the table, which a refresh replaces. */
function readTable() {
  const table = document.getElementById("numbers");
  rows = [...table?.tBodies[0].rows ?? []];
  times = rows.map((row) => Number(row.dataset.at));
  heads = [...table?.tHead.rows[0].cells ?? []];
}

/** Returns a column's values; null where there is none. */
function valuesOf(head) {
  return rows.map((row) => {
    const text = row.cells[head.cellIndex].textContent;
    return text === "–" ? null : Number(text);
  });
}

function draw(figure) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(name).trim();
  const columns = figure.dataset.chart.split(" ").map((id) => heads.find((head) => head.dataset.column === id));
  // In 24 hours; only the date where each point is a day.
  const [first = 0, second = 0] = times;
  // From app.js, so that all pages format times in the same way.
  const timeZone = globalThis.timeZone();
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
  const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone });
  const isDaily = second - first >= DAY_SECONDS;
  const timeLabel = (at) => isDaily ? day.format(at * 1000) : `${day.format(at * 1000)}, ${clock.format(at * 1000)}`;
  const marks = (_, splits) => {
    let shown = "";
    return splits.map((at) => {
      const date = day.format(at * 1000);
      const text = isDaily ? date : date === shown ? clock.format(at * 1000) : `${clock.format(at * 1000)}\n${date}`;
      shown = date;
      return text;
    });
  };
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const plot = figure.querySelector(".plot");
  const options = {
    width: plot.clientWidth,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), Math.max(1, (most ?? 0) * 1.1)] } },
    tzDate: (at) => timeZone === undefined ? new Date(at * 1000) : uPlot.tzDate(new Date(at * 1000), timeZone),
    axes: [{ ...axis, values: marks }, { ...axis, size: 60 }],
    series: [
      { label: "Time", value: (_, at) => at === null ? "–" : timeLabel(at) },
      ...columns.map((head, index) => ({
        label: head.dataset.label,
        stroke: color(LINES[index].color),
        width: 2,
        dash: LINES[index].dash,
        // Without calls there is no duration: lines lead over such times, and only a single point needs a dot.
        spanGaps: true,
        points: { show: valuesOf(head).filter((value) => value !== null).length === 1 },
      })),
    ],
    hooks: { draw: [drawChanges] },
  };
  plot.replaceChildren();
  return new uPlot(options, [times, ...columns.map(valuesOf)], plot);
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
  const start = () => {
    state.textContent = "Refreshes automatically";
    button.textContent = "Pause";
    timer = setInterval(() => {
      // Neither unseen nor while the focus is in it.
      const isUsed = document.getElementById("metrics").contains(document.activeElement);
      if (document.hidden || isUsed) return;
      refresh().catch(() => state.textContent = "Could not be refreshed; trying again");
    }, REFRESH_MS);
  };
  button.addEventListener("click", () => {
    if (timer === undefined) return start();
    clearInterval(timer);
    timer = undefined;
    state.textContent = "Paused";
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
