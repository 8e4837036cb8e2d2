// The tree of a search for a goal: how it grows, where each state is drawn, and its picture. Pure functions.
// Steps go from left to right, and the closer a state is to the goal, the higher it stands.
import { escapeHtml } from "./shared/html.js";

const TOP = 34, HEIGHT = 190, BOTTOM = 30, LEFT = 20, RIGHT = 24; // pixels
const DOT = 9, ACROSS = 4; // the room for a dot, and how many of one place stand side by side
const NARROWEST = 92, WIDEST = 280; // pixels between two steps
const LETTER = 6.6; // pixels: the width of a letter of an action

export const newTree = () => ({ states: [], path: [], farthest: 1 });
const BEYOND = 1.6; // a state that is so many times as far from the goal as the start stands at the bottom, as all beyond it

// The tree with the new or moved states [number, parent, differences] of an answer and its best path [number, action].
export const grow = (tree, { nodes, path }) => {
  const states = [...tree.states];
  for (const [number, parent, differences] of nodes) states[number] = { parent, differences };
  const most = Math.max(1, ...states.map((state) => state.differences));
  const farthest = Math.min(most, Math.max(4, Math.ceil(BEYOND * states[0].differences)));
  return { states, path, farthest };
};

export const depthOf = (tree, number) => {
  let depth = 0;
  for (let at = number; tree.states[at].parent !== null; at = tree.states[at].parent) depth += 1;
  return depth;
};

// Where every state stands, { x, y, near } with `near` from 0 to 1 at the goal, and the size of the whole.
export const layOut = (tree, room) => {
  const depths = tree.states.map((_, number) => depthOf(tree, number)), steps = Math.max(1, ...depths);
  const pitch = Math.min(WIDEST, Math.max(NARROWEST, (room - LEFT - RIGHT - ACROSS * DOT) / steps));
  const taken = new Map(), rank = HEIGHT / tree.farthest;
  const spots = tree.states.map(({ differences }, number) => {
    const away = Math.min(differences, tree.farthest), place = `${depths[number]} ${away}`, before = taken.get(place) ?? 0;
    taken.set(place, before + 1);
    const row = Math.floor(before / ACROSS) * Math.min(DOT, rank / 3);
    const x = LEFT + depths[number] * pitch + (before % ACROSS) * DOT, y = TOP + away * rank + row;
    return { x, y: Math.min(y, TOP + HEIGHT + DOT), near: 1 - away / tree.farthest };
  });
  return { spots, pitch, width: Math.max(room, LEFT + steps * pitch + ACROSS * DOT + RIGHT), height: TOP + HEIGHT + BOTTOM };
};

const shortened = (text, letters) => (text.length <= letters ? text : `${text.slice(0, letters - 1).trimEnd()}…`);

// The picture of a tree as SVG; `words` says what it shows to whoever cannot see it.
export const treePicture = (tree, room, words) => {
  const { spots, pitch, width, height } = layOut(tree, room), onPath = new Set(tree.path.map(([number]) => number));
  const line = (from, to) => `M${from.x.toFixed(1)} ${from.y.toFixed(1)}L${to.x.toFixed(1)} ${to.y.toFixed(1)}`;
  const branches = spots.map((spot, number) => {
    const { parent } = tree.states[number];
    return parent === null || onPath.has(number) ? "" : line(spots[parent], spot);
  }).join("");
  const dots = spots.map(({ x, y, near }, number) => {
    const kind = onPath.has(number) ? "best" : tree.states[number].differences ? "" : "there";
    const radius = onPath.has(number) ? 6 : 3.5;
    return `<circle class="${kind}" cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="${radius}" style="--near:${Math.round(100 * near)}%"/>`;
  });
  const steps = tree.path.slice(1).map(([number, action], step) => ({ from: spots[tree.path[step][0]], to: spots[number], action }));
  const best = steps.map(({ from, to }) => `<path class="best" d="${line(from, to)}"/>`);
  const names = steps.map(({ from, to, action }) => {
    const words = shortened(action, Math.floor(pitch / LETTER));
    const rise = Math.abs(to.y - from.y) / (to.x - from.x) * words.length * LETTER / 2; // so that the line passes below
    const x = (from.x + to.x) / 2, y = Math.max(TOP - 6, (from.y + to.y) / 2 - 8 - Math.min(rise, 30));
    return `<text class="action" x="${x.toFixed(1)}" y="${y.toFixed(1)}"><title>${escapeHtml(action)}</title>${escapeHtml(words)}</text>`;
  });
  return `<svg width="${Math.round(width)}" height="${height}" role="img" aria-label="${escapeHtml(words)}">`
    + `<path class="goal-line" d="M0 ${TOP}H${Math.round(width)}"/><text class="goal-name" x="${Math.round(width) - 4}" y="${TOP - 8}">the goal</text>`
    + `<path class="branches" d="${branches}"/>${dots.join("")}${best.join("")}`
    + `${[...onPath].map((number) => dots[number]).join("")}${names.join("")}</svg>`;
};
