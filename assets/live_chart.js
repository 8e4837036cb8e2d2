// Live charts of one run: points arrive a few at a time, zoom and hidden traces stay.
const DRAWN = 1000;      // points a trace, at most
const SMOOTH = 0.85;     // weight of the past in the smoothed trace
const NAMES = { forward: "forward", inverse: "inverse", "warm-up": "warm-up" };
const SCORES = [
  { name: "forward/exact_match", words: "next state", colour: "--forward", symbol: "circle" },
  { name: "inverse/exact_match", words: "action", colour: "--inverse", symbol: "square" },
  { name: "cycle/exact_match", words: "next state, inferred action", colour: "--muted", symbol: "diamond", dash: "dot" },
  { name: "copy/exact_match", words: "copying the state", colour: "--truth", symbol: "line-ew", dash: "dash" },
];

// plotly.js is 4.8 MB: fetched once, from this server, when the first chart is to be drawn.
let plotlyPromise = null;
const loadPlotly = () => plotlyPromise ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((resolve, reject) => {
  const tag = document.createElement("script");
  tag.src = new URL(PLOTLY, document.baseURI).href;
  tag.onload = () => resolve(window.Plotly);
  tag.onerror = () => { plotlyPromise = null; tag.remove(); reject(new Error("plotly.js did not load")); };
  document.head.append(tag);
});

// At most `limit` points that look the same: of each stretch its lowest and its highest point, in order.
const thin = (xs, ys, limit = DRAWN) => {
  if (xs.length <= limit) return [xs, ys];
  const buckets = Math.floor(limit / 2) - 1, keep = new Set([0, xs.length - 1]);
  for (let bucket = 0; bucket < buckets; bucket++) {
    const from = Math.floor(bucket * xs.length / buckets), to = Math.floor((bucket + 1) * xs.length / buckets);
    let low = from, high = from;
    for (let i = from; i < to; i++) {
      if (ys[i] < ys[low]) low = i;
      if (ys[i] > ys[high]) high = i;
    }
    keep.add(low).add(high);
  }
  const kept = [...keep].sort((a, b) => a - b);
  return [kept.map((i) => xs[i]), kept.map((i) => ys[i])];
};

// Exponential mean that starts at the first point instead of at nought.
const smooth = (ys, weight = SMOOTH) => {
  let mean = 0, mass = 0;
  return ys.map((y) => {
    mean = weight * mean + (1 - weight) * y;
    mass = weight * mass + (1 - weight);
    return mean / mass;
  });
};

// The points of a run: metric -> phase -> steps and values in order of step.
class Points {
  constructor() { this.metrics = new Map(); }
  add(columns) {  // {metric: [[phase, …], [step, …], [value, …]]}
    for (const [name, [phases, steps, values]] of Object.entries(columns)) {
      const byPhase = this.metrics.get(name) ?? this.metrics.set(name, new Map()).get(name);
      for (let i = 0; i < steps.length; i++) {
        const series = byPhase.get(phases[i]) ?? byPhase.set(phases[i], { steps: [], values: [] }).get(phases[i]);
        let at = series.steps.length;
        while (at > 0 && series.steps[at - 1] >= steps[i]) at--;
        const repeated = series.steps[at] === steps[i] ? 1 : 0;
        series.steps.splice(at, repeated, steps[i]);
        series.values.splice(at, repeated, values[i]);
      }
    }
  }
  series(metric, phase) { return this.metrics.get(metric)?.get(phase); }
}

class LiveCharts {
  constructor(root) {
    this.root = root;
    this.points = new Points();
    this.bands = [];
    this.scores = {};
    this.zoom = null;            // [from, to] in steps, the same for all charts
    this.hidden = {};            // chart -> set of hidden names
    this.stale = new Set(CHARTS.map((chart) => chart.key));
    for (const chart of CHARTS) this.hidden[chart.key] = new Set(chart.metric ? [] : ["next state, inferred action"]);
    root.addEventListener("click", (event) => this.clicked(event));
    this.watcher = new MutationObserver(() => this.redraw(true));
    this.watcher.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  }

  // News from the server: any of {points, bands, scores}; only the charts they concern are drawn again.
  update({ points, bands, scores }) {
    if (points) {
      this.points.add(points);
      for (const chart of CHARTS) if (chart.metric in points) this.stale.add(chart.key);
    }
    if (bands) {
      this.bands = bands;
      for (const chart of CHARTS) {
        this.stale.add(chart.key);
        // A run without supervised phases has no loss to show, the SFT baseline no rewards.
        if (chart.metric) this.panel(chart).hidden = !this.mine(chart).length;
      }
    }
    if (scores) { this.scores = scores; CHARTS.filter((chart) => !chart.metric).forEach((chart) => this.stale.add(chart.key)); }
    return this.redraw();
  }

  redraw(all = false) {
    if (all) CHARTS.forEach((chart) => this.stale.add(chart.key));
    // One drawing after another, and the last one sees all that has come meanwhile.
    this.drawing = (this.drawing ?? Promise.resolve()).then(async () => {
      if (!this.stale.size || !this.root.isConnected) return;
      const plotly = await loadPlotly();
      for (const chart of CHARTS) {
        if (!this.stale.delete(chart.key)) continue;
        await this.draw(plotly, chart);
      }
    }).catch((error) => console.info(String(error)));
    return this.drawing;
  }

  clicked(event) {
    const legend = event.target.closest("[data-legend]"), entry = event.target.closest("[data-name]");
    if (legend && entry) {
      const hidden = this.hidden[legend.dataset.legend], name = entry.dataset.name;
      if (!hidden.delete(name)) hidden.add(name);
      this.stale.add(legend.dataset.legend);
      this.redraw();
    } else if (event.target.closest("[data-reset]")) {
      this.zoom = null;
      this.redraw(true);
    }
  }

  // The whole axis: all phases, or of a long run those until one phase after the present one.
  range() {
    const bands = this.bands.length > 6 ? this.bands.slice(0, this.bands.findLastIndex((band) => band.state !== "planned") + 2) : this.bands;
    const last = bands.at(-1);
    return [0, Math.max(1, last ? last.start + last.steps : 1)];
  }

  panel(chart) { return this.root.querySelector(`[data-panel="${chart.key}"]`); }

  // The phases whose points a chart shows: rollouts and losses of supervised phases have no common scale.
  mine(chart) { return this.bands.filter((band) => band.steps && band.supervised === chart.supervised); }

  async draw(plotly, chart) {
    const panel = this.panel(chart);
    const box = this.root.querySelector(`[data-chart="${chart.key}"]`);
    if (!box?.isConnected || !box.clientWidth) return;
    const colours = (name) => studio.colour(name);
    const range = this.zoom ?? this.range();
    const traces = chart.metric ? this.curves(chart, colours, range) : this.accuracies(chart, colours);
    this.legend(chart, traces);
    const font = { family: getComputedStyle(this.root).fontFamily, size: 11.5, color: colours("--muted") };
    const layout = {
      margin: { l: 4, r: chart.metric ? 4 : 8, t: 6, b: 24 }, height: box.clientHeight || 196, width: box.clientWidth, showlegend: false, font,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x",
      hoverlabel: { bgcolor: colours("--panel"), bordercolor: colours("--line"), font: { ...font, color: colours("--ink") } },
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      xaxis: { range, showgrid: false, zeroline: false, showticklabels: false, fixedrange: false, showspikes: false },
      yaxis: { visible: !chart.metric || traces.length > 0, fixedrange: true, gridcolor: colours("--line"), zeroline: false, nticks: 5, ticklabelstandoff: 5, exponentformat: "e", minexponent: 4, automargin: true, tickfont: font,
        rangemode: chart.from_zero ? "tozero" : "normal", ...(chart.metric ? {} : { range: [-0.03, 1.17], tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0 %", "25 %", "50 %", "75 %", "100 %"] }) },
      shapes: this.shades(colours), annotations: [...this.names(range, box.clientWidth, font, colours), ...(chart.metric ? [] : this.labels(traces, range, font))],
      separators: ". ",
    };
    await plotly.react(box, traces, layout, { displayModeBar: false, responsive: true, doubleClick: false, scrollZoom: false, showTips: false });
    box.setAttribute("aria-label", `${chart.title}: ` + (traces.filter((trace) => trace.last !== undefined).map((trace) => `${trace.name} ${trace.last}`).join(", ") || "no points yet"));
    panel.querySelector("[data-reset]").hidden = !this.zoom;
    box.classList.toggle("no-points", !traces.some((trace) => trace.x.length));
    if (!box.dataset.wired) {
      box.dataset.wired = "yes";
      box.on("plotly_relayout", (change) => this.zoomed(change));
      box.on("plotly_doubleclick", () => { this.zoom = null; this.redraw(true); });
      new ResizeObserver(() => { if (box.clientWidth && box.clientWidth !== box.layout?.width) { this.stale.add(chart.key); this.redraw(); } }).observe(box);
    }
  }

  zoomed(change) {
    const from = change["xaxis.range[0]"], to = change["xaxis.range[1]"];
    if (from === undefined || to === undefined) return;
    const whole = this.range();
    this.zoom = [Math.max(whole[0], from), Math.min(whole[1], to)];
    this.redraw(true);
  }

  // For each direction the raw points, thin and pale, and the smoothed curve on them, broken between phases.
  curves(chart, colours, [from, to]) {
    const traces = [];
    const mine = this.mine(chart);
    for (const direction of new Set(mine.map((band) => band.direction))) {
      const raw = { x: [], y: [] }, calm = { x: [], y: [] };
      let last;
      for (const band of mine.filter((band) => band.direction === direction)) {
        const series = this.points.series(chart.metric, band.index);
        if (!series?.steps.length) continue;
        const xs = series.steps.map((step) => band.start + step), means = smooth(series.values);
        // One point beyond each edge, so that a line leaves the picture instead of ending in it.
        const first = Math.max(0, xs.findIndex((x) => x >= from) - 1), end = xs.findLastIndex((x) => x <= to) + 2;
        const share = Math.max(50, Math.floor(DRAWN / mine.filter((other) => other.direction === direction).length) - 1);
        for (const [line, ys] of [[raw, series.values], [calm, means]]) {
          const [shownX, shownY] = thin(xs.slice(first, end), ys.slice(first, end), share);
          line.x.push(...shownX, null);
          line.y.push(...shownY, null);
        }
        last = means.at(-1);
      }
      if (!raw.x.length) continue;
      const colour = colours(direction === "warm-up" ? "--truth" : `--${direction}`), visible = !this.hidden[chart.key].has(NAMES[direction]);
      const common = { type: "scatter", mode: "lines", visible, connectgaps: false, name: NAMES[direction] };
      traces.push({ ...common, ...raw, line: { color: colour, width: 1 }, opacity: 0.38, hoverinfo: "skip" });
      traces.push({ ...common, ...calm, line: { color: colour, width: 2.2 }, hovertemplate: "%{y:.3~g}<extra>" + NAMES[direction] + "</extra>", last: words(last), swatch: colour });
    }
    return traces;
  }

  accuracies(chart, colours) {
    return SCORES.filter((score) => this.scores[score.name]?.length).map((score) => {
      const points = this.scores[score.name], colour = colours(score.colour);
      return { type: "scatter", mode: score.name === "copy/exact_match" ? "lines" : "lines+markers", name: score.words, visible: !this.hidden[chart.key].has(score.words),
        x: points.map(([x]) => x), y: points.map(([, y]) => y), line: { color: colour, width: score.dash ? 1.5 : 2.2, dash: score.dash ?? "solid" },
        marker: { color: colour, size: 9, symbol: score.symbol }, hovertemplate: "%{y:.1%}<extra>" + score.words + "</extra>", cliponaxis: false,
        last: Math.round(100 * points.at(-1)[1]) + " %", swatch: colour };
    });
  }

  // The name and the last value beside each curve's end: the higher curve's above, the lower one's below it, or both
  // above where there is no room below.
  labels(traces, [from, to], font) {
    const shown = traces.filter((trace) => trace.visible && (trace.name === "next state" || trace.name === "action"));
    const top = shown.reduce((best, trace) => (!best || trace.y.at(-1) > best.y.at(-1) ? trace : best), null);
    const low = (trace) => trace.y.at(-1) < 0.13, crowded = shown.length > 1 && shown.every(low);
    return shown.filter((trace) => trace.x.at(-1) >= from && trace.x.at(-1) <= to).map((trace) => {
      const above = trace === top || low(trace), lift = crowded && trace === top ? 24 : 7;
      const share = (trace.x.at(-1) - from) / (to - from);
      return { x: trace.x.at(-1), y: trace.y.at(-1), xanchor: share > 0.55 ? "right" : "left", yanchor: above ? "bottom" : "top", yshift: above ? lift : -7,
        text: `${trace.name} ${trace.last}`, showarrow: false, bgcolor: studio.colour("--panel"), borderpad: 1, opacity: 0.92, font: { ...font, size: 12, color: trace.swatch } };
    });
  }

  shades(colours) {
    return this.bands.filter((band) => band.steps && band.direction !== "warm-up").map((band) => ({
      type: "rect", xref: "x", yref: "paper", x0: band.start, x1: band.start + band.steps, y0: 0, y1: 1, layer: "below",
      fillcolor: colours(`--${band.direction}-soft`), opacity: band.state === "planned" ? 0.45 : 1, line: { width: 0 } }));
  }

  // The phases' names under the axis, as long as each has the room; else the iterations' numbers, else nothing.
  names([from, to], width, font, colours) {
    const scale = width / (to - from);
    return this.bands.filter((band) => band.steps && band.start < to && band.start + band.steps > from).flatMap((band) => {
      const left = Math.max(from, band.start), room = (Math.min(to, band.start + band.steps) - left) * scale;
      const text = [`${band.direction} phase`, band.direction, `${band.iteration}${band.direction[0]}`].find((words) => words.length * 6.4 + 6 < room);
      if (!text || band.direction === "warm-up" && room < 54) return [];
      return [{ x: left, xref: "x", xanchor: "left", y: 0, yref: "paper", yanchor: "top", yshift: -4, text, showarrow: false, font: { ...font, color: colours(band.state === "planned" ? "--muted" : band.direction === "warm-up" ? "--muted" : `--${band.direction}`) } }];
    });
  }

  // Buttons below the chart that hide and show its curves.
  legend(chart, traces) {
    const box = this.root.querySelector(`[data-legend="${chart.key}"]`);
    const entries = traces.filter((trace) => trace.swatch);
    const html = entries.length < 2 ? "" : entries.map((trace) => `<button type="button" class="legend-entry" data-name="${trace.name}" aria-pressed="${trace.visible}"><i style="background:${trace.swatch}"></i>${trace.name}</button>`).join("");
    if (box.dataset.shown !== html) {
      const focused = document.activeElement?.dataset?.name;
      box.innerHTML = html;
      box.dataset.shown = html;
      if (focused && box.contains(document.activeElement) === false) box.querySelector(`[data-name="${focused}"]`)?.focus?.();
    }
  }

  // Forget the run that was shown.
  clear() {
    this.points = new Points();
    this.bands = [];
    this.scores = {};
    this.zoom = null;
  }
}

const words = (value) => value === undefined || Number.isNaN(value) ? "no value" : (value < 0 ? "−" : "") + Math.abs(value).toPrecision(3);
window.swirlCharts = { thin, smooth, Points };
