// The curves' bins and what stands around the curves of a chart.
import assert from "node:assert/strict";
import { test } from "node:test";

import { chartLayout, endLabels, extent, phaseNames, runLabels, shades } from "../../assets/scripts/charts/chart_layout.js";
import { RunCurves, drawn, merged, smooth } from "../../assets/scripts/charts/curve_bins.js";

const bin = (last, mean, { n = 1, low = mean, high = mean } = {}) => ({ last, n, mean, low, high, calm: mean });

test("two bins become one with the mean of all their steps", () => {
  const both = merged(bin(3, 1, { n: 3, low: 0, high: 2 }), bin(4, 5));
  assert.deepEqual([both.last, both.n, both.mean, both.low, both.high], [4, 4, 2, 0, 5]);
});

test("smoothing begins at the first value and ends near the last ones", () => {
  const bins = [1, 1, 1, 5, 5, 5, 5, 5, 5, 5].map((mean, i) => bin(i + 1, mean));
  smooth(bins, 2);
  assert.equal(bins[0].calm, 1);
  assert.ok(bins[3].calm > 1 && bins[3].calm < 5 && bins[9].calm > 4.9);
  smooth(bins, 1);
  assert.deepEqual(bins.map(({ calm }) => calm), bins.map(({ mean }) => mean));
});

test("a bin of many steps weighs as much as they would one by one", () => {
  const single = [bin(1, 2), ...Array.from({ length: 4 }, (_, i) => bin(i + 2, 6))], binned = [bin(1, 2), bin(5, 6, { n: 4 })];
  smooth(single, 5);
  smooth(binned, 5);
  assert.ok(Math.abs(single.at(-1).calm - binned.at(-1).calm) < 1e-12);
});

test("a long curve is drawn with few points that keep its peaks, and breaks between phases", () => {
  const phase = (start, count) => ({ start, bins: Array.from({ length: count }, (_, i) => bin(i + 1, i === 777 ? 99 : Math.sin(i))) });
  const { x, raw } = drawn([phase(0, 5000), phase(5000, 5000)], 0, 10000);
  assert.ok(x.length <= 1000 && x.length === raw.length);
  assert.equal(Math.max(...raw.filter((y) => y !== null)), 99);
  assert.equal(raw.filter((y) => y === null).length, 1);
});

test("where no point lies within the range, the two around it carry the line across", () => {
  assert.deepEqual(drawn([{ start: 0, bins: [bin(1, 1), bin(100, 2)] }], 40, 60).x, [1, 100]);
  assert.deepEqual(drawn([{ start: 0, bins: [bin(1, 1)] }], 40, 60).x, []);
});

test("a run's points come a few at a time; one that no longer fits asks for the whole", () => {
  const curves = new RunCurves();
  assert.ok(curves.add({ reward: [[0, 0, 1], [1, 2, 1], [0.1, 0.2, 0.3]] }));
  assert.ok(curves.add({ reward: [[0], [2], [0.5]] }));
  assert.deepEqual(curves.bins("reward", 0).map(({ mean }) => mean), [0.1, 0.5]);
  assert.equal(curves.bins("reward", 1).length, 1);
  assert.deepEqual(curves.bins("loss", 0), []);
  curves.add({ loss: [[0], [10], [1], [10], [0], [2]] });
  assert.equal(curves.add({ loss: [[0], [5], [1]] }), false);
});

test("beyond what a page keeps, neighbours are taken together and no step is lost", () => {
  const curves = new RunCurves(), steps = Array.from({ length: 9000 }, (_, i) => i + 1);
  curves.add({ kl: [steps.map(() => 0), steps, steps.map(() => 1)] });
  const bins = curves.bins("kl", 0);
  assert.ok(bins.length <= 4000 && curves.width > 1);
  assert.equal(bins.reduce((sum, { n }) => sum + n, 0), 9000);
});

const BANDS = [
  { start: 0, steps: 100, direction: "forward", iteration: 1, state: "done" },
  { start: 100, steps: 100, direction: "inverse", iteration: 1, state: "planned" },
  { start: 200, steps: 0, direction: "forward", iteration: 2, state: "planned" },
];
const colour = (name) => `colour of ${name}`;

test("phases are shaded in their colour, the planned ones paler", () => {
  const [first, second, ...none] = shades(BANDS, colour);
  assert.deepEqual([first.x1, first.fillcolor, first.opacity], [100, "colour of --forward-soft", 1]);
  assert.ok(second.opacity < 1);
  assert.deepEqual(none, []);
});

test("phases are named as long as there is room", () => {
  const names = (width) => phaseNames(BANDS, [0, 200], width, {}, colour).map(({ text }) => text);
  assert.deepEqual(names(600), ["forward phase", "inverse phase"]);
  assert.deepEqual(names(130), ["forward", "inverse"]);
  assert.deepEqual(names(50), ["1f", "1i"]);
  assert.deepEqual(names(10), []);
});

test("labels of lines that end together stand apart", () => {
  const ends = [{ x: 90, y: 0.5, text: "one" }, { x: 90, y: 0.51, text: "two" }, { x: 300, y: 0.5, text: "out of sight" }];
  const labels = endLabels(ends, [0, 100], [0, 1], 400, 200, {}, "white");
  assert.equal(labels.length, 2);
  assert.ok(Math.abs(labels[0].y - labels[1].y) * 200 >= 15);
  const runs = runLabels(Array.from({ length: 4 }, (_, i) => ({ y: 0.5, text: `a run with a long name ${i}` })), [0, 1], 100, {});
  const heights = runs.map(({ y }) => y);
  assert.equal(new Set(heights).size, 4);
  assert.ok(runs[0].text.length === 14 && runs[0].hovertext.endsWith("0"));
});

test("the axis holds what is drawn, with some air", () => {
  const [low, high] = extent([{ visible: true, y: [1, null, 3] }, { visible: false, y: [100] }], false);
  assert.ok(low < 1 && low > 0.5 && high > 3 && high < 4);
  assert.equal(extent([{ visible: true, y: [1, 3] }], true)[0], 0);
  assert.deepEqual(extent([], false), [0, 1]);
});

test("a layout for fingers does not take their scrolling for a zoom", () => {
  const given = { width: 400, height: 0, font: {}, range: [0, 200], values: [0, 1], bands: BANDS, labels: [], colour };
  assert.equal(chartLayout({ ...given, coarse: true }).dragmode, false);
  const layout = chartLayout({ ...given, coarse: false, several: true, shares: true });
  assert.deepEqual([layout.dragmode, layout.height, layout.margin.r], ["zoom", 196, 92]);
  assert.equal(layout.yaxis.ticktext.at(-1), "100 %");
});
