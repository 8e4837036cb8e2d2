// The path of the Play page: a tree of states with the place one stands at. Every change returns a new path.
// `origin` is the recorded state in which it began, { data, sequence, step }; null for a text of one's own.
// { origin, nodes: [{ parent, action, state }], at, undo: [{ at, count }], redo: [{ at, nodes }], action, futures, rivals, rival, tries }
const NOTHING_IMAGINED = { action: "", futures: [], rivals: [], tries: 0 };

export const newPath = (state, origin = null) => (
  { origin, nodes: [{ parent: null, action: "", state }], at: 0, undo: [], redo: [], ...NOTHING_IMAGINED, rival: "" });

// Stands at another node of the tree.
export const goTo = (path, at) => ({ ...path, at, ...NOTHING_IMAGINED });

// Takes one of the imagined states; one that was taken before is gone to instead of standing there twice.
export const take = (path, { state }) => {
  const step = { at: path.at, count: path.nodes.length }, { action } = path;
  const known = path.nodes.findIndex((node) => node.parent === path.at && node.action === action && node.state === state);
  const nodes = known >= 0 ? path.nodes : [...path.nodes, { parent: path.at, action, state }];
  const at = known >= 0 ? known : nodes.length - 1;
  return { ...path, nodes, at, undo: [...path.undo, step], redo: [], ...NOTHING_IMAGINED };
};

// Takes the steps of a plan from the state `start`, { at, state }, that it begins in; null where that state is no longer
// in the path. It may stand elsewhere now: a step that was taken back and taken again comes last.
export const takePlan = (path, steps, start) => {
  const isStart = (node) => node.state === start.state;
  const from = path.nodes[start.at] && isStart(path.nodes[start.at]) ? start.at : path.nodes.findIndex(isStart);
  if (from < 0) return null;
  return steps.reduce((walked, { action, state }) => take({ ...walked, action }, { state }), goTo(path, from));
};

// Takes the last step back, or null when there is none.
export const undo = (path) => {
  const last = path.undo.at(-1);
  if (!last) return null;
  const back = { at: path.at, nodes: path.nodes.slice(last.count) }, redo = [...(path.redo ?? []), back];
  return { ...path, nodes: path.nodes.slice(0, last.count), at: last.at, undo: path.undo.slice(0, -1), redo, ...NOTHING_IMAGINED };
};

// Takes the step again that was taken back, or null when there is none.
export const redo = (path) => {
  const next = path.redo?.at(-1);
  if (!next) return null;
  const step = { at: path.at, count: path.nodes.length };
  return { ...path, nodes: [...path.nodes, ...next.nodes], at: next.at, undo: [...path.undo, step], redo: path.redo.slice(0, -1), ...NOTHING_IMAGINED };
};

export const childrenOf = (path, parent) => path.nodes.flatMap((node, index) => (node.parent === parent ? [index] : []));

// The states from the start to where one stands.
export const statesSoFar = (path) => {
  const found = [];
  for (let index = path.at; index !== null; index = path.nodes[index].parent) found.unshift(path.nodes[index].state);
  return found;
};

// Where an arrow key leads in the tree; null for nowhere.
export const neighbour = (path, key) => {
  const { parent } = path.nodes[path.at];
  if (key === "ArrowLeft") return parent;
  if (key === "ArrowRight") return childrenOf(path, path.at)[0] ?? null;
  const beside = parent === null ? [] : childrenOf(path, parent);
  return beside[beside.indexOf(path.at) + (key === "ArrowDown" ? 1 : -1)] ?? null;
};
