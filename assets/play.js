// Play: the path lives here, in this browser, under the id in the address; the server draws it and imagines.
const page = element.querySelector(".play");
const field = page.querySelector("[data-action]");
const button = page.querySelector("[data-imagine]");
const KEY = "swirl-play:", KEEP = 12;
let game = null; // { nodes: [{ parent, action, state }], at, undo: [{ at, count }], action, futures, tries }
let id = null, busy = false, turn = 0;

const tell = (part, words) => studio.fill(page, { [part]: words ? studio.error(words) : "" });
const save = () => {
  try {
    localStorage.setItem(KEY + id, JSON.stringify({ ...game, saved: Date.now() }));
    const old = Object.keys(localStorage).filter((key) => key.startsWith(KEY) && key !== KEY + id)
      .sort((a, b) => (JSON.parse(localStorage[b]).saved || 0) - (JSON.parse(localStorage[a]).saved || 0));
    old.slice(KEEP - 1).forEach((key) => localStorage.removeItem(key));
  } catch (failure) { tell("start-error", "This browser cannot keep the path: " + failure.message); }
};
const load = (name) => {
  try { return JSON.parse(localStorage.getItem(KEY + name)); } catch { return null; }
};

const draw = async () => {
  const mine = ++turn;
  save();
  const answer = await studio.call(server.draw, { path: { nodes: game.nodes, at: game.at }, action: game.action, futures: game.futures });
  if (mine !== turn) return;
  if (answer.error) { page.querySelector(".elsewhere").open = true; return tell("start-error", answer.error); }
  page.dataset.kind = answer.kind;
  studio.chooseKind(answer.kind);
  studio.fill(page, answer.parts);
  page.querySelector("[data-undo]").disabled = !game.undo.length;
  const here = page.querySelector('.node[aria-current="true"]'), frame = page.querySelector(".tree-frame");
  if (here) frame.scrollTo({ left: here.offsetLeft - frame.clientWidth / 2, top: here.offsetTop - 40 });
};

const suggest = async () => {
  const state = game.nodes[game.at].state;
  studio.fill(page, { suggestions: '<p class="note">Looking for actions that fit</p>' });
  const answer = await studio.call(server.suggest, { state });
  if (state !== game.nodes[game.at].state) return;
  studio.fill(page, answer.error ? { suggestions: studio.error(answer.error) } : answer.parts);
  window.dispatchEvent(new Event("studio:models"));
};

const start = (state) => {
  id = Date.now().toString(36);
  game = { nodes: [{ parent: null, action: "", state }], at: 0, undo: [], action: "", futures: [], tries: 0 };
  studio.setQuery({ path: id });
  field.value = "";
  draw();
  suggest();
};

const begin = async (where) => {
  const answer = await studio.call(server.begin, where);
  if (answer.error) return tell("start-error", answer.error), (page.querySelector(".elsewhere").open = true);
  const select = page.querySelector("select[data-collection]");
  if (answer.options) select.innerHTML = answer.options;
  if (answer.data) select.value = answer.data;
  if (answer.parts) return studio.fill(page, answer.parts);
  page.querySelector(".elsewhere").open = false;
  start(answer.state);
};

const goTo = (at) => {
  if (at === game.at || at === null || !game.nodes[at]) return;
  game = { ...game, at, action: "", futures: [], tries: 0 };
  draw();
  suggest();
};

const proceed = (index) => {
  const future = game.futures[index];
  if (!future) return;
  const step = { at: game.at, count: game.nodes.length };
  const known = game.nodes.findIndex((n) => n.parent === game.at && n.action === game.action && n.state === future.state);
  const nodes = known >= 0 ? game.nodes : [...game.nodes, { parent: game.at, action: game.action, state: future.state }];
  game = { ...game, nodes, at: known >= 0 ? known : nodes.length - 1, undo: [...game.undo, step], action: "", futures: [], tries: 0 };
  field.value = "";
  draw();
  suggest();
};

const undo = () => {
  const last = game.undo.at(-1);
  if (!last) return;
  game = { ...game, nodes: game.nodes.slice(0, last.count), at: last.at, undo: game.undo.slice(0, -1), action: "", futures: [], tries: 0 };
  draw();
  suggest();
};

const imagine = async () => {
  if (busy || !game) return;
  busy = true;
  button.disabled = true;
  const at = game.at, tries = field.value.trim() === game.action ? game.tries + 1 : 0;
  const answer = await studio.call(server.imagine, {
    state: game.nodes[at].state, action: field.value, n: page.querySelector("[data-n]").value, seed: tries,
  });
  busy = false;
  button.disabled = false;
  if (at !== game.at) return;
  tell("action-error", answer.error);
  field.setAttribute("aria-invalid", Boolean(answer.error));
  if (answer.error) return;
  game = { ...game, action: answer.action, futures: answer.futures, tries };
  studio.fill(page, answer.parts);
  save();
};

const pick = (action) => { field.value = action; imagine(); };

const offer = (file, name) => {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
};
const download = async () => {
  if (page.dataset.kind === "image") {
    const answer = await studio.call(server.animate, { path: { nodes: game.nodes, at: game.at } });
    if (answer.error) return tell("start-error", answer.error);
    return offer(await (await fetch(answer.address)).blob(), `path-${id}.gif`);
  }
  const line = [];
  for (let index = game.at; index !== null; index = game.nodes[index].parent) line.unshift(game.nodes[index].state);
  offer(new Blob([JSON.stringify({ id: "path-" + id, states: line }) + "\n"], { type: "application/x-ndjson" }), `path-${id}.jsonl`);
};

page.addEventListener("submit", (event) => { event.preventDefault(); imagine(); });
page.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  let hit;
  if ((hit = on("[data-begin]"))) begin({ data: page.querySelector("select[data-collection]").value });
  else if (on("[data-begin-own]")) begin({ own: page.querySelector("[data-own]").value });
  else if (!game) return;
  else if ((hit = on("[data-suggestion]"))) pick(hit.dataset.suggestion);
  else if ((hit = on("[data-future]"))) proceed(Number(hit.dataset.future));
  else if ((hit = on("[data-node]"))) goTo(Number(hit.dataset.node));
  else if (on("[data-undo]")) undo();
  else if (on("[data-save]")) download();
  else if ((hit = on("[data-mark]"))) {
    studio.mark(hit);
  }
});
document.addEventListener("keydown", (event) => {
  if (!element.isConnected || !game) return;
  const free = !studio.typing(event), empty = event.target === field && !field.value && !event.ctrlKey && !event.metaKey;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && !event.shiftKey) {
    // A field with words in it keeps its own undo.
    if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.target.value) return;
    event.preventDefault();
    undo();
  } else if ((free || empty) && /^[1-6]$/.test(event.key)) {
    const chip = page.querySelectorAll("[data-suggestion]")[Number(event.key) - 1];
    if (chip) { event.preventDefault(); pick(chip.dataset.suggestion); }
  } else if (free && event.key === "ArrowLeft") { event.preventDefault(); goTo(game.nodes[game.at].parent); }
  else if (free && event.key === "ArrowRight") {
    event.preventDefault();
    if (game.futures.length) proceed(0);
    else { const child = game.nodes.findIndex((node) => node.parent === game.at); if (child > 0) goTo(child); }
  }
});
window.addEventListener("studio:checkpoint", () => { if (game) suggest(); });

const query = studio.query(), old = query.path && load(query.path);
if (old) {
  const { saved, ...rest } = old;
  id = query.path;
  game = rest;
  field.value = game.action;
  studio.call(server.begin, {}).then((answer) => {
    if (answer.options) page.querySelector("select[data-collection]").innerHTML = answer.options;
  });
  draw();
  suggest();
} else begin({ data: query.data, sequence: query.sequence, step: query.step });
