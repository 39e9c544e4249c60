// New tickets per minute as bars.

const plot = document.getElementById("plot");
const isDark = matchMedia("(prefers-color-scheme: dark)");
const HEIGHT = 120;
let chart = null;
let drawn = "";

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function read() {
  const said = document.getElementById("rate")?.dataset;
  if (!said?.first) return null;
  const first = Date.parse(said.first) / 1000;
  const counts = said.counts.split(",").map(Number);
  return { key: said.first + said.counts, data: [counts.map((_, index) => first + index * 60), counts] };
}

function options() {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "13px system-ui, sans-serif" };
  return {
    width: plot.clientWidth,
    height: HEIGHT,
    cursor: { y: false, points: { show: false }, drag: { setScale: false } },
    legend: { show: false },
    scales: { x: { range: (_, min, max) => [min, max + 60] }, y: { range: (_, _min, max) => [0, Math.max(4, Math.ceil(max * 1.1))] } },
    axes: [
      { ...axis, size: 28, space: 70, values: (_, all) => all.map((second) => new Date(second * 1000).toTimeString().slice(0, 5)) },
      { ...axis, size: 34, space: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
    ],
    series: [{}, { stroke: colour("--accent"), fill: colour("--accent-soft"), width: 1, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 30], align: 1 }) }],
  };
}

function draw(isNew = false) {
  const now = read();
  if (!now || typeof uPlot === "undefined") return;
  if (chart && !isNew) {
    if (now.key !== drawn) chart.setData(now.data);
  } else {
    chart?.destroy();
    chart = new uPlot(options(), now.data, plot);
  }
  drawn = now.key;
}

document.addEventListener("parts-shown", () => draw());
isDark.addEventListener("change", () => draw(true));
new ResizeObserver(() => chart && chart.width !== plot.clientWidth && chart.setSize({ width: plot.clientWidth, height: HEIGHT })).observe(plot);
draw();
