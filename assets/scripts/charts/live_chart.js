// Live charts of one run, with others laid over it: points arrive a few at a time, zoom and hidden traces stay.
import { escapeHtml } from "../shared/html.js";
import { threeDigits } from "../shared/numbers.js";
import { cssColour } from "../shared/theme.js";
import { chartLayout, endLabels, extent, runLabels } from "./chart_layout.js";
import { RunCurves, drawn, smooth } from "./curve_bins.js";

const SCORES = [
  { name: "forward/exact_match", words: "next state", colour: "--forward", symbol: "circle" },
  { name: "inverse/exact_match", words: "action", colour: "--inverse", symbol: "square", beside: "dash" },
  { name: "cycle/exact_match", words: "next state, inferred action", colour: "--muted", symbol: "diamond", dash: "dot" },
  { name: "copy/exact_match", words: "copying the state", colour: "--truth", symbol: "line-ew", dash: "dash" },
];
const PROBED = "probe_exact_match"; // the probes' share of exact matches, between the scores of two checkpoints
const UNSEEN = 4000;     // milliseconds between two drawings of a chart that is out of sight

// plotly.js is 4.8 MB: fetched once, from this server, when the first chart is to be drawn.
let plotlyPromise = null;
const loadPlotly = (address) => plotlyPromise ??= window.Plotly ? Promise.resolve(window.Plotly) : new Promise((resolve, reject) => {
  const tag = document.createElement("script");
  tag.src = new URL(address, document.baseURI).href;
  tag.onload = () => resolve(window.Plotly);
  tag.onerror = () => { plotlyPromise = null; tag.remove(); reject(new Error("plotly.js did not load")); };
  document.head.append(tag);
});

export class LiveCharts {
  // `plotly` is the address of plotly.js; `detail(from, to, runs)` fetches a stretch of the steps anew; `ranged()` is told when another range is shown.
  constructor(root, charts, plotly, { detail, ranged }) {
    Object.assign(this, { root, charts, plotly, detail, ranged });
    this.memory = 10;            // steps of smoothing; 1 is none
    this.hidden = {};            // chart -> set of hidden names
    this.times = {};             // chart -> when it was drawn
    this.near = new Set();
    for (const chart of charts) this.hidden[chart.key] = new Set(chart.metric ? [] : ["next state, inferred action"]);
    this.clear();
    root.addEventListener("click", (event) => this.clicked(event));
    root.addEventListener("pointerdown", (event) => { this.held = Boolean(event.target.closest("[data-chart]")); });
    for (const end of ["pointerup", "pointercancel"]) window.addEventListener(end, () => { if (this.held) { this.held = false; setTimeout(() => this.redraw()); } });
    this.watcher = new MutationObserver(() => this.redraw(true));
    this.watcher.observe(document.body, { attributes: true, attributeFilter: ["class"] });
    this.sight = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) this.near[isIntersecting ? "add" : "delete"](target.dataset.chart);
      this.redraw();
    }, { rootMargin: "200px" });
    for (const chart of charts) this.sight.observe(this.box(chart));
  }

  // Forget the run that was shown, and those laid over it.
  clear() {
    this.runs = new Map();       // id -> {name, curves, detail, bands, scores}; the first is the one shown
    this.away = new Set();       // runs that are hidden
    this.zoom = null;            // [from, to] in steps, the same for all charts
    this.stale = new Set(this.charts.map((chart) => chart.key));
  }

  remove(id) { this.runs.delete(id); this.away.delete(id); this.redraw(true); }
  get shown() { return this.runs.values().next().value; }
  get bands() { return this.shown?.bands ?? []; }
  box(chart) { return this.root.querySelector(`[data-chart="${chart.key}"]`); }
  panel(chart) { return this.root.querySelector(`[data-panel="${chart.key}"]`); }

  // News of a run: any of {name, whole, width, points, bands, scores}; only the charts they concern are drawn again.
  // False when the points no longer fit those held, and the whole curve must be asked for.
  update(id, { name, whole, width, points = {}, bands, scores }) {
    const run = this.runs.get(id) ?? this.runs.set(id, { curves: new RunCurves(), bands: [], scores: {} }).get(id);
    if (name) run.name = name;
    if (bands) { run.bands = bands; this.stir(() => true); }
    if (scores) { run.scores = scores; this.stir((chart) => !chart.metric); }
    if (whole) Object.assign(run, { curves: new RunCurves(), detail: null });
    const fits = run.curves.add(points);
    if (width) run.curves.width = width;
    if (run.detail && !run.detail.curves.add(this.within(run, points))) run.detail = null;
    this.stir((chart) => whole || chart.metric in points || !chart.metric && PROBED in points);
    if (bands || this.charts.some((chart) => chart.optional && chart.metric in points)) this.hidePanels();
    if (bands) this.ranged();
    this.redraw();
    if (this.zoom && !run.detail && run.curves.width > 1) this.refine();
    return fits;
  }

  stir(concerned) { for (const chart of this.charts) if (concerned(chart)) this.stale.add(chart.key); }

  // The points that lie in the stretch which is held in detail.
  within(run, points) {
    const starts = new Map(run.bands.map((band) => [band.index, band.start]));
    return Object.fromEntries(Object.entries(points).map(([name, parts]) => {
      const kept = parts[1].map((step, i) => starts.get(parts[0][i]) + step <= run.detail.to);
      return [name, parts.map((part) => part.filter((_, i) => kept[i]))];
    }));
  }

  // A run without supervised phases has no loss to show, one without GRPO phases no rewards; what only an extension
  // measures is shown once there is a point of it.
  hidePanels() {
    for (const chart of this.charts.filter(({ metric }) => metric)) {
      const isEmpty = chart.optional && !this.shown.curves.metrics.has(chart.metric);
      this.panel(chart).hidden = isEmpty || !this.mine(chart, this.shown).length;
    }
  }

  redraw(all = false) {
    if (all) { this.stir(() => true); this.times = {}; }
    // One drawing after another, and the last one sees all that has come meanwhile.
    this.drawing = (this.drawing ?? Promise.resolve()).then(async () => {
      if (!this.stale.size || !this.root.isConnected) return;
      const plotly = await loadPlotly(this.plotly);
      for (const chart of this.charts) {
        // A drawing in the middle of a drag would end it.
        if (this.held) return;
        const waits = !this.near.has(chart.key) && performance.now() - (this.times[chart.key] ?? -UNSEEN) < UNSEEN;
        if (waits || !this.stale.delete(chart.key)) continue;
        this.times[chart.key] = performance.now();
        await this.draw(plotly, chart);
        await new Promise((resolve) => setTimeout(resolve));
      }
    }).catch((error) => console.info(String(error)));
    return this.drawing;
  }

  clicked(event) {
    const legend = event.target.closest("[data-legend]"), entry = event.target.closest("[data-name]"), run = event.target.closest("[data-run]");
    if (legend && entry) {
      const hidden = this.hidden[legend.dataset.legend], name = entry.dataset.name;
      if (!hidden.delete(name)) hidden.add(name);
      this.stale.add(legend.dataset.legend);
      this.redraw();
    } else if (run) {
      if (!this.away.delete(run.dataset.run)) this.away.add(run.dataset.run);
      run.setAttribute("aria-pressed", !this.away.has(run.dataset.run));
      this.redraw(true);
    } else if (event.target.closest("[data-reset]")) this.show(null);
  }

  // The whole axis: all phases, or of a long run those until one phase after the present one.
  range() {
    const ends = [...this.runs.values()].map(({ bands }) => {
      const last = (bands.length > 6 ? bands.slice(0, bands.findLastIndex((band) => band.state !== "planned") + 2) : bands).at(-1);
      return last ? last.start + last.steps : 1;
    });
    return [0, Math.max(1, ...ends)];
  }

  // Show these steps, or all of them (null), within what there is.
  show(zoom) {
    const [start, end] = this.range();
    if (zoom) {
      const room = Math.min(end - start, Math.max(2, zoom[1] - zoom[0]));
      const from = Math.min(Math.max(start, zoom[0]), end - room);
      zoom = room >= end - start ? null : [from, from + room];
    }
    this.zoom = zoom;
    this.ranged();
    this.redraw(true);
    if (zoom) this.refine();
  }
  scale(factor) {
    const [from, to] = this.zoom ?? this.range(), centre = (from + to) / 2, half = factor * (to - from) / 2;
    this.show([centre - half, centre + half]);
  }
  move(share) {
    const [from, to] = this.zoom ?? this.range(), way = share * (to - from);
    this.show([from + way, to + way]);
  }

  // Fetch the shown stretch of curves that are held in coarser bins, with a margin for the smoothing to begin in.
  refine() {
    clearTimeout(this.refining);
    this.refining = setTimeout(async () => {
      const zoom = this.zoom, ids = [...this.runs].filter(([, run]) => run.curves.width > 1).map(([id]) => id);
      if (!zoom || !ids.length) return;
      const from = Math.max(0, zoom[0] - 3 * Math.min(this.memory, zoom[1] - zoom[0])), found = await this.detail(from, zoom[1], ids);
      if (this.zoom !== zoom || !found) return;
      for (const [id, { width, points }] of Object.entries(found)) {
        const run = this.runs.get(id), curves = new RunCurves();
        if (!run) continue;
        curves.add(points);
        curves.width = width;
        run.detail = { curves, from, to: zoom[1] };
      }
      this.redraw(true);
    }, 120);
  }

  // The phases whose points a chart shows: rollouts and losses of supervised phases have no common scale.
  mine(chart, run) { return run.bands.filter((band) => band.steps && band.supervised === chart.supervised); }

  async draw(plotly, chart) {
    const box = this.box(chart);
    if (!box?.isConnected || !box.clientWidth || !this.shown) return;
    const range = this.zoom ?? this.range();
    const { traces, ends } = chart.metric ? this.curves(chart, range) : this.accuracies(chart);
    this.legend(chart, traces);
    const values = chart.metric ? extent(traces, chart.from_zero) : [-0.03, 1.17];
    const font = { family: getComputedStyle(this.root).fontFamily, size: 11.5, color: cssColour("--muted") };
    const several = this.runs.size > 1, height = box.clientHeight - 30;
    const labels = several ? runLabels(ends, values, height, font) : endLabels(ends, range, values, box.clientWidth - 40, height, font, cssColour("--panel"));
    const coarse = matchMedia("(pointer: coarse)").matches;
    const layout = chartLayout({ width: box.clientWidth, height: box.clientHeight, coarse, colour: cssColour, font, range, values, bands: this.bands, labels, several, shares: !chart.metric, drawsCurves: !chart.metric || traces.length > 0 });
    await plotly.react(box, traces, layout, { displayModeBar: false, responsive: true, doubleClick: false, scrollZoom: false, showTips: false });
    const said = traces.filter((trace) => trace.last !== undefined).map((trace) => `${trace.of}${trace.name} ${trace.last}`);
    box.setAttribute("aria-label", `${chart.title}: ` + (said.join(", ") || "no points yet"));
    this.panel(chart).querySelector("[data-reset]").hidden = !this.zoom;
    box.classList.toggle("no-points", !traces.some((trace) => trace.x.length));
    if (!box.dataset.wired) this.wire(chart, box);
  }

  wire(chart, box) {
    box.dataset.wired = "yes";
    box.on("plotly_relayout", (change) => {
      const from = change["xaxis.range[0]"], to = change["xaxis.range[1]"];
      if (from !== undefined && to !== undefined) this.show([from, to]);
    });
    box.on("plotly_doubleclick", () => this.show(null));
    new ResizeObserver(() => { if (box.clientWidth && box.clientWidth !== box.layout?.width) { this.stale.add(chart.key); delete this.times[chart.key]; this.redraw(); } }).observe(box);
  }

  // For each run and direction the raw points, thin and pale, and the smoothed curve on them, broken between phases.
  curves(chart, range) {
    const traces = [], ends = [], several = this.runs.size > 1;
    [...this.runs].forEach(([id, run], number) => {
      if (this.away.has(id)) return;
      const mine = this.mine(chart, run), held = this.zoom && run.detail && run.detail.from <= range[0] && run.detail.to >= range[1] ? run.detail.curves : run.curves;
      let end;
      for (const direction of new Set(mine.map((band) => band.direction))) {
        const phases = mine.filter((band) => band.direction === direction).map((band) => ({ start: band.start, bins: held.bins(chart.metric, band.index) })).filter(({ bins }) => bins.length);
        if (!phases.length) continue;
        const memory = chart.sparse ? 1 : this.memory;
        for (const { bins } of phases) smooth(bins, memory);
        const { x, raw, calmX, calm } = drawn(phases, ...range);
        const colour = cssColour(number ? `--run-${number}` : direction === "warm-up" ? "--truth" : `--${direction}`);
        const visible = !this.hidden[chart.key].has(direction), of = several ? `${run.name}, ` : "";
        const common = { type: "scatter", mode: "lines", visible, connectgaps: false, name: direction, of, run: id };
        const said = { hovertemplate: `%{y:.3~g}<extra>${escapeHtml(of)}${direction}</extra>`, last: threeDigits(phases.at(-1).bins.at(-1).calm), swatch: number ? undefined : colour };
        if (memory > 1) {
          traces.push({ ...common, x, y: raw, line: { color: colour, width: 1 }, opacity: several ? 0.16 : 0.38, hoverinfo: "skip" });
          traces.push({ ...common, x: calmX, y: calm, line: { color: colour, width: 2.2 }, ...said });
        } else traces.push({ ...common, x, y: raw, line: { color: colour, width: 1.4 }, ...(chart.sparse ? { mode: "lines+markers", marker: { color: colour, size: 7 }, cliponaxis: false } : {}), ...said });
        const last = (memory > 1 ? calmX : x).at(-1);
        if (visible && last !== undefined && !(end?.x > last)) end = { x: last, y: (memory > 1 ? calm : raw).at(-1), text: run.name, colour };
      }
      if (several && end) ends.push(end);
    });
    return { traces, ends };
  }

  accuracies(chart) {
    const traces = [], ends = [], several = this.runs.size > 1;
    [...this.runs].forEach(([id, run], number) => {
      if (this.away.has(id)) return;
      for (const score of number ? SCORES.slice(0, 2) : SCORES) {
        const points = run.scores[score.name];
        if (!points?.length) continue;
        const colour = cssColour(number ? `--run-${number}` : score.colour), visible = !this.hidden[chart.key].has(score.words), of = several ? `${run.name}, ` : "";
        const dash = number ? score.beside : score.dash, last = Math.round(100 * points.at(-1)[1]) + " %";
        traces.push({ type: "scatter", mode: score.name === "copy/exact_match" ? "lines" : "lines+markers", name: score.words, of, run: id, visible,
          x: points.map(([x]) => x), y: points.map(([, y]) => y), line: { color: colour, width: dash ? 1.5 : 2.2, dash: dash ?? "solid" },
          marker: { color: colour, size: 9, symbol: score.symbol }, hovertemplate: `%{y:.1%}<extra>${escapeHtml(of)}${score.words}</extra>`, cliponaxis: false,
          last, swatch: number ? undefined : colour });
        const named = SCORES.indexOf(score) < 2 && visible;
        if (named) ends.push({ x: points.at(-1)[0], y: points.at(-1)[1], text: several ? run.name : `${score.words} ${last}`, colour });
      }
      if (!number) traces.push(...this.probes(run, chart));
    });
    return { traces, ends };
  }

  // The exact matches of the shown run's probes as small open marks, broken between phases.
  probes(run, chart) {
    return ["forward", "inverse"].flatMap((direction, i) => {
      const phases = run.bands.filter((band) => band.direction === direction).map((band) => ({ start: band.start, bins: run.curves.bins(PROBED, band.index) })).filter(({ bins }) => bins.length);
      if (!phases.length) return [];
      const { x, raw } = drawn(phases, ...(this.zoom ?? this.range())), colour = cssColour(`--${direction}`), name = `probe, ${SCORES[i].words}`;
      return [{ type: "scatter", mode: "lines+markers", name, of: "", x, y: raw, visible: !this.hidden[chart.key].has(name), connectgaps: false, opacity: 0.75, line: { color: colour, width: 1 },
        marker: { color: cssColour("--panel"), size: 6, symbol: SCORES[i].symbol, line: { color: colour, width: 1.5 } }, hovertemplate: `%{y:.1%}<extra>${name}</extra>`, cliponaxis: false, swatch: colour }];
    });
  }

  // Buttons below the chart that hide and show its curves.
  legend(chart, traces) {
    const box = this.root.querySelector(`[data-legend="${chart.key}"]`);
    const entries = traces.filter((trace) => trace.swatch);
    const html = entries.length < 2 ? "" : entries.map((trace) => `<button type="button" class="legend-entry" data-name="${trace.name}" aria-pressed="${trace.visible}"><i style="background:${trace.swatch}"></i>${trace.name}</button>`).join("");
    if (box.dataset.shown !== html) {
      const focused = box.contains(document.activeElement) && document.activeElement.dataset.name;
      box.innerHTML = html;
      box.dataset.shown = html;
      if (focused) box.querySelector(`[data-name="${focused}"]`)?.focus();
    }
  }
}
