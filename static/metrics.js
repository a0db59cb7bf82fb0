// Draws the charts of the metrics page from its table, so that both show the same data.

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

const table = document.getElementById("numbers");
const rows = [...table.tBodies[0].rows];
const times = rows.map((row) => Number(row.dataset.at));
const heads = [...table.tHead.rows[0].cells];

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
        // Without calls there is no duration: a single point has no line that would make it visible.
        points: { show: head.dataset.column.startsWith("p") },
      })),
    ],
  };
  plot.replaceChildren();
  return new uPlot(options, [times, ...columns.map(valuesOf)], plot);
}

for (const figure of document.querySelectorAll("[data-chart]")) {
  figure.hidden = false;
  let chart = draw(figure);
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.floor(contentRect.width);
    if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
  }).observe(figure.querySelector(".plot"));
  const redraw = () => {
    chart.destroy();
    chart = draw(figure);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("time-zone", redraw);
}
