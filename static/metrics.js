// Draws the charts of the metrics page from its table, so that both show the same.

import uPlot from "./uplot.js";

const HEIGHT = 220;
/** Told apart by dashes as well as by colour. */
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

/** A column's values; null where there is none. */
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
  const axis = { stroke: color("--quiet"), grid: { stroke: color("--line"), width: 1 }, ticks: { show: false } };
  const plot = figure.querySelector(".plot");
  const options = {
    width: plot.clientWidth,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, least, most) => [Math.min(0, least ?? 0), Math.max(1, (most ?? 0) * 1.1)] } },
    axes: [axis, { ...axis, size: 60 }],
    series: [
      {},
      ...columns.map((head, index) => ({
        label: head.dataset.label,
        stroke: color(LINES[index].color),
        width: 2,
        dash: LINES[index].dash,
        // Where there was no call there is no duration: a point alone has no line to be seen by.
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
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    chart.destroy();
    chart = draw(figure);
  });
}
