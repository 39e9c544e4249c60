// The first figure of a report as a plot; the table below it says the same.

const plot = document.getElementById("report-plot");
const isDark = matchMedia("(prefers-color-scheme: dark)");
const HEIGHT = 240;
const CHAR_PX = 8; // of an axis label, about
let chart = null;

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const dayOf = (day) => Date.parse(`${day}T00:00:00Z`) / 1000;

function said(value, unit) {
  if (value == null) return "";
  if (unit === "share") return `${Math.round(value * 100)} %`;
  if (unit !== "seconds") return value.toLocaleString("en");
  if (value >= 172800) return `${+(value / 86400).toFixed(1)} d`;
  if (value >= 7200) return `${+(value / 3600).toFixed(1)} h`;
  return value >= 120 ? `${Math.round(value / 60)} min` : `${Math.round(value)} s`;
}

function options(content) {
  const { length } = content.labels;
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "13px system-ui, sans-serif" };
  const isDays = content.kind === "days";
  const charsMax = Math.max(14, Math.floor(plot.clientWidth / (length + 1) / CHAR_PX));
  const short = (label) => (label.length > charsMax ? `${label.slice(0, charsMax - 1)}…` : label);
  const place = isDays
    ? { ...axis, size: 30, space: 90, incrs: [1, 2, 7, 14, 28, 91, 182, 364].map((days) => days * 86400), values: (_, all) => all.map((second) => new Date(second * 1000).toISOString().slice(0, 10)) }
    : { ...axis, grid: { show: false }, size: 30, space: 100, incrs: [1, 2, 5, 10, 20], values: (_, all) => all.map((index) => (Number.isInteger(index) ? short(content.labels[index] ?? "") : "")) };
  return {
    width: plot.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { setScale: false } },
    scales: { x: { time: false, range: () => (isDays ? [dayOf(content.labels[0]) - 43200, dayOf(content.labels[length - 1]) + 43200] : [-0.6, length - 0.4]) }, y: { range: (_, _min, max) => [0, (max || 1) * 1.1] } },
    axes: [place, { ...axis, size: 70, space: 40, values: (_, all) => all.map((value) => said(value, content.unit)) }],
    series: [{}, { stroke: colour("--accent"), fill: colour("--accent-soft"), width: 1, points: { show: false }, paths: uPlot.paths.bars({ size: [0.7, 60] }) }],
  };
}

function draw() {
  if (!plot || typeof uPlot === "undefined") return;
  const content = JSON.parse(plot.dataset.plot);
  const places = content.kind === "days" ? content.labels.map(dayOf) : content.labels.map((_, index) => index);
  chart?.destroy();
  chart = new uPlot(options(content), [places, content.values], plot);
}

isDark.addEventListener("change", draw);
if (plot) new ResizeObserver(() => chart && chart.width !== plot.clientWidth && chart.setSize({ width: plot.clientWidth, height: HEIGHT })).observe(plot);
draw();
