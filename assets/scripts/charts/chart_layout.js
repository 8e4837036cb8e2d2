// What stands around the curves of a chart: shaded and named phases, labels at the ends of lines, axes.
// `colour(name)` gives the value of one of the style sheet's colours.
export const shades = (bands, colour) => bands.filter((band) => band.steps && band.direction !== "warm-up").map((band) => ({
  type: "rect", xref: "x", yref: "paper", x0: band.start, x1: band.start + band.steps, y0: 0, y1: 1, layer: "below",
  fillcolor: colour(`--${band.direction}-soft`), opacity: band.state === "planned" ? 0.45 : 1, line: { width: 0 } }));

// The phases' names under the axis, as long as each has the room; else the iterations' numbers, else nothing.
export const phaseNames = (bands, [from, to], width, font, colour) => {
  const scale = width / (to - from);
  return bands.filter((band) => band.steps && band.start < to && band.start + band.steps > from).flatMap((band) => {
    const left = Math.max(from, band.start), room = (Math.min(to, band.start + band.steps) - left) * scale;
    const text = [`${band.direction} phase`, band.direction, `${band.iteration}${band.direction[0]}`].find((words) => words.length * 6.4 + 6 < room);
    if (!text || band.direction === "warm-up" && room < 54) return [];
    const plain = band.state === "planned" || band.direction === "warm-up";
    return [{ x: left, xref: "x", xanchor: "left", y: 0, yref: "paper", yanchor: "top", yshift: -4, text, showarrow: false, font: { ...font, color: colour(plain ? "--muted" : `--${band.direction}`) } }];
  });
};

// What the ends of lines are called: [{ x, y, text, colour }] in data, each beside its line and apart from the others.
export const endLabels = (ends, [from, to], [low, high], width, height, font, panelColour) => {
  const line = 15, placed = [];
  const wanted = ends.filter(({ x, y }) => x >= from && x <= to && y !== undefined && y !== null).map((end) => {
    const room = end.text.length * 6.6, at = (end.x - from) / (to - from) * width, right = at > width * 0.55;
    return { ...end, right, left: right ? at - room : at, room, top: (high - end.y) / (high - low) * height - 11 };
  }).sort((a, b) => a.top - b.top);
  for (const label of wanted) {
    const clash = (top) => placed.find((other) => Math.abs(other.at - top) < line && other.left < label.left + label.room && label.left < other.left + other.room);
    const free = [0, 22, -15, 37, -30].map((shift) => label.top + shift).find((top) => top > 4 && top < height - 4 && !clash(top));
    placed.push({ ...label, at: free ?? label.top });
  }
  return placed.map(({ x, right, at, text, colour }) => ({
    x, xanchor: right ? "right" : "left", y: 1 - at / height, yref: "paper", yanchor: "middle", text, showarrow: false,
    bgcolor: panelColour, borderpad: 1, opacity: 0.92, font: { ...font, size: 12, color: colour } }));
};

// The names of runs to the right of the chart, each at the height at which its line ends, pushed apart where they meet.
const MARGIN = 92, AXIS = 40;
export const runLabels = (ends, [low, high], height, font) => {
  const line = Math.min(14, height / Math.max(1, ends.length));
  const labels = ends.map((end) => ({ ...end, at: Math.min(height - 6, Math.max(6, (high - end.y) / (high - low) * height)) })).sort((a, b) => a.at - b.at);
  labels.forEach((label, i) => { if (i) label.at = Math.max(label.at, labels[i - 1].at + line); });
  for (let i = labels.length - 1, floor = height - 4; i >= 0; i--, floor -= line) labels[i].at = Math.min(labels[i].at, floor);
  return labels.map(({ at, text, colour }) => ({
    x: 1, xref: "paper", xanchor: "left", xshift: 5, y: 1 - at / height, yref: "paper", yanchor: "middle", align: "left", showarrow: false,
    text: text.length > 14 ? text.slice(0, 13) + "…" : text, hovertext: text, font: { ...font, size: 11, color: colour } }));
};

// The least and the greatest value that is drawn, with some air.
export const extent = (traces, fromZero) => {
  let low = fromZero ? 0 : Infinity, high = -Infinity;
  for (const trace of traces) {
    if (!trace.visible) continue;
    for (const y of trace.y) if (y !== null) { low = Math.min(low, y); high = Math.max(high, y); }
  }
  if (low > high) return [0, 1];
  const air = 0.06 * (high - low) || Math.max(0.05 * Math.abs(high), 1e-6);
  return [fromZero && low >= 0 ? 0 : low - air, high + air];
};

export const chartLayout = ({ width, height, font, range, values, bands, labels, several, shares, drawsCurves, coarse, colour }) => ({
  margin: { l: 4, r: several ? MARGIN : shares ? 8 : 4, t: 6, b: 24 }, height: height || 196, width, showlegend: false, font,
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x",
  hoverlabel: { bgcolor: colour("--panel"), bordercolor: colour("--line"), font: { ...font, color: colour("--ink") } },
  dragmode: coarse ? false : "zoom",
  xaxis: { range, showgrid: false, zeroline: false, showticklabels: false, showspikes: false, tickprefix: "step ", hoverformat: ",.0f" },
  yaxis: { visible: drawsCurves, fixedrange: true, range: values, gridcolor: colour("--line"), zeroline: false, nticks: 5, ticklabelstandoff: 5, exponentformat: "e", minexponent: 4, automargin: true, tickfont: font,
    ...(shares ? { tickvals: [0, 0.25, 0.5, 0.75, 1], ticktext: ["0 %", "25 %", "50 %", "75 %", "100 %"] } : {}) },
  shapes: shades(bands, colour), annotations: [...phaseNames(bands, range, width - AXIS - (several ? MARGIN : 0), font, colour), ...labels], separators: ". ",
});
