// The points of a run's curves as bins: { last, n, mean, low, high, calm }, a single figure being a bin of one step.
const KEPT = 4000;       // bins a metric and phase, at most; beyond that neighbours are merged

export const merged = (a, b) => ({
  last: b.last, n: a.n + b.n, mean: (a.n * a.mean + b.n * b.mean) / (a.n + b.n), low: Math.min(a.low, b.low), high: Math.max(a.high, b.high), calm: b.calm,
});

// Exponential mean with a memory of so many steps, which begins at the first value instead of at nought; written as
// `calm` of each bin. A bin of many steps weighs as much as they would one by one.
export const smooth = (bins, memory) => {
  const fade = memory > 1 ? 1 - 1 / memory : 0;
  let mean = 0, mass = 0;
  for (const bin of bins) {
    const past = fade ** bin.n;
    mean = past * mean + (1 - past) * bin.mean;
    mass = past * mass + (1 - past);
    bin.calm = mean / mass;
  }
};

// What a trace draws of its phases [{ start, bins }] between two steps of the axis: at most `limit` points, breaks
// between phases included. Of each stretch the raw line keeps the least and the greatest value.
export const drawn = (phases, from, to, limit = 1000) => {
  const shown = phases.map(({ start, bins }, phase) => {
    const inside = (bin) => start + bin.last >= from && start + bin.last <= to;
    // One bin beyond each edge, so that a line leaves the picture instead of ending in it.
    const first = bins.findIndex(inside), end = bins.findLastIndex(inside);
    const cut = first < 0 ? beyond(bins, start, from, to) : bins.slice(Math.max(0, first - 1), end + 2);
    return cut.map((bin) => ({ ...bin, x: start + bin.last, phase }));
  }).flat();
  if (!shown.length) return { x: [], raw: [], calmX: [], calm: [] };
  const span = shown.at(-1).x - shown[0].x + 1;
  let lines = trace(shown);
  for (let width = Math.max(1, 2 * span / limit); Math.max(lines.raw.length, lines.calm.length) > limit; width *= 1.25) {
    lines = trace(together(shown, width));
  }
  return lines;
};

// Where no bin ends within the range, the two around it carry the line across.
const beyond = (bins, start, from, to) => {
  const after = bins.findIndex((bin) => start + bin.last > to);
  return after > 0 && start + bins[after - 1].last < from ? bins.slice(after - 1, after + 1) : [];
};

const together = (shown, width) => {
  const found = [];
  for (const bin of shown) {
    const before = found.at(-1);
    if (before && Math.floor(before.x / width) === Math.floor(bin.x / width)) {
      found[found.length - 1] = { ...merged(before, bin), x: bin.x, phase: bin.phase };
    } else found.push(bin);
  }
  return found;
};

const trace = (bins) => {
  const x = [], raw = [], calmX = [], calm = [];
  bins.forEach((bin, i) => {
    if (i && bin.phase !== bins[i - 1].phase) { x.push(bin.x); raw.push(null); calmX.push(bin.x); calm.push(null); }
    const before = raw.at(-1) ?? bin.mean;
    if (bin.low === bin.high) { x.push(bin.x); raw.push(bin.low); }
    else {
      const rising = Math.abs(before - bin.low) <= Math.abs(before - bin.high);
      x.push(bin.x, bin.x);
      raw.push(...(rising ? [bin.low, bin.high] : [bin.high, bin.low]));
    }
    calmX.push(bin.x);
    calm.push(bin.calm);
  });
  return { x, raw, calmX, calm };
};

// The curves of a run: metric -> phase -> bins in order of step.
export class RunCurves {
  constructor() { this.metrics = new Map(); this.width = 1; }

  // Takes columns of the server: {metric: [phases, last steps, means] or with [counts, least, greatest values]}. False
  // when a step came anew that is merged into a bin with others: then the whole is to be fetched again.
  add(columns) {
    let whole = true;
    for (const [name, [phases, steps, means, counts, lows, highs]] of Object.entries(columns)) {
      const byPhase = this.metrics.get(name) ?? this.metrics.set(name, new Map()).get(name);
      for (let i = 0; i < steps.length; i++) {
        const bins = byPhase.get(phases[i]) ?? byPhase.set(phases[i], []).get(phases[i]);
        const bin = { last: steps[i], n: counts?.[i] ?? 1, mean: means[i], low: lows?.[i] ?? means[i], high: highs?.[i] ?? means[i], calm: means[i] };
        whole = this.put(bins, bin) && whole;
      }
      for (const bins of byPhase.values()) if (bins.length > KEPT) this.thin(bins);
    }
    return whole;
  }

  put(bins, bin) {
    let at = bins.length;
    while (at > 0 && bins[at - 1].last >= bin.last) at--;
    const there = bins[at];
    if (there && there.last - there.n < bin.last && there.n > 1) return false;
    bins.splice(at, there?.last === bin.last ? 1 : 0, bin);
    return true;
  }

  // Neighbours are taken together, all over the phase, until half of the room is free.
  thin(bins) {
    const width = Math.ceil(2 * bins.at(-1).last / KEPT), found = together(bins.map((bin) => ({ ...bin, x: bin.last })), width);
    bins.splice(0, bins.length, ...found);
    this.width = Math.max(this.width, width);
  }

  bins(metric, phase) { return this.metrics.get(metric)?.get(phase) ?? []; }
}
