// Play: the path lives here, in this browser, under the id in the address; the server draws it and imagines.
import { mountReachGoal } from "./play_goal.js";
import { goTo, neighbour, newPath, redo, statesSoFar, take, takePlan, undo } from "./play_path.js";
import { readQuery, setQuery } from "./shared/address.js";
import { chooseKind } from "./shared/checkpoints.js";
import { downloadBlob } from "./shared/downloads.js";
import { errorHtml, fill, noteHtml } from "./shared/html.js";
import { isTyping } from "./shared/keyboard.js";
import { lateAnswers } from "./shared/late_answers.js";
import { showMarks } from "./shared/pictures.js";
import { wait } from "./shared/polling.js";
import { callServer, callStreaming, partsOrError } from "./shared/server.js";
import { keepNewest, readJson, readText, writeJson, writeText } from "./shared/storage.js";

const KEY = "swirl-play:", KEPT = 12; // paths in this browser
const PACE = "swirl-play-pace";

export const mount = ({ element, server, upload }) => {
  const page = element.querySelector(".play");
  const field = page.querySelector("[data-action]");
  const button = page.querySelector("[data-imagine]");
  const drawings = lateAnswers();
  let game = null; // the path, as play_path.js describes it
  let id = null, busy = false, marked = -1, running = false, waiting = null;
  const one = (selector) => page.querySelector(selector), all = (selector) => [...page.querySelectorAll(selector)];
  const samples = () => one("[data-n]").value;

  const tell = (part, words) => fill(page, { [part]: words ? errorHtml(words) : "" });
  const save = () => {
    const failure = writeJson(KEY + id, { ...game, saved: Date.now() });
    if (failure) tell("start-error", "This browser cannot keep the path: " + failure.message);
    keepNewest(KEY, KEPT, KEY + id);
  };

  // What may be chosen with the arrow keys: the futures where there are some, else the suggestions.
  const choices = () => { const futures = all("[data-future]"); return futures.length && game.futures.length ? futures : all("[data-suggestion]"); };
  const choose = (index) => {
    const found = choices();
    marked = found.length && index >= 0 ? (index + found.length) % found.length : -1;
    all(".chosen").forEach((item) => item.classList.remove("chosen"));
    if (marked < 0) return;
    found[marked].classList.add("chosen");
    found[marked].scrollIntoView({ block: "nearest" });
  };

  // What was there stays until the new is; `keep` leaves the futures of the last step to be looked at.
  const draw = async (keep = false) => {
    const isLate = drawings.ask();
    marked = -1;
    save();
    const path = { nodes: game.nodes, at: game.at }, { action, futures, rivals, rival } = game;
    const answer = await callServer(server.draw, { path, action, futures, rivals, rival, keep, best: one("[data-best]").checked });
    if (isLate()) return;
    if (answer.error) { page.querySelector(".elsewhere").open = true; return tell("start-error", answer.error); }
    page.dataset.kind = answer.kind;
    chooseKind(answer.kind);
    fill(page, answer.parts);
    one(".futures")?.parentElement.classList.toggle("past", keep);
    one("[data-undo]").disabled = !game.undo.length;
    one("[data-redo]").disabled = !game.redo?.length;
    const here = page.querySelector('.node[aria-current="true"]'), frame = page.querySelector(".tree-frame");
    goal.follow();
    if (here) frame.scrollTo({ left: here.offsetLeft - frame.clientWidth / 2, top: here.offsetTop - 40 });
  };

  // The suggestions for the present state, then the futures of each imagined ahead, so that a key is answered at once.
  const suggest = () => (waiting = suggestions());
  const suggestions = async () => {
    const state = game.nodes[game.at].state, place = one('[data-part="suggestions"]');
    const still = () => element.isConnected && game.nodes[game.at].state === state;
    if (place.textContent) place.classList.add("old");
    else fill(page, { suggestions: noteHtml("Looking for actions that fit") });
    const answer = await callServer(server.suggest, { state });
    if (!still()) return [];
    place.classList.remove("old");
    fill(page, partsOrError(answer, "suggestions"));
    window.dispatchEvent(new Event("studio:models"));
    const actions = all("[data-suggestion]").map((chip) => chip.dataset.suggestion);
    ahead(state, actions, still);
    return actions;
  };
  const ahead = async (state, actions, still) => {
    for (const action of actions) {
      while (busy) await wait(50);
      if (!still() || running || document.hidden) return;
      await callServer(server.prepare, { state, action, n: samples(), seed: 0 });
    }
  };
  const listModels = async () => {
    const answer = await callServer(server.models, { kind: page.dataset.kind });
    if (answer.options !== undefined) one("#play-models").innerHTML = answer.options;
  };

  const start = (state, origin) => {
    id = Date.now().toString(36);
    game = newPath(state, origin);
    setQuery({ path: id });
    field.value = "";
    draw();
    suggest();
  };

  const begin = async (where) => {
    const answer = await callServer(server.begin, where), select = page.querySelector("select[data-collection]");
    if (answer.options) select.innerHTML = answer.options;
    if (answer.error) return tell("start-error", answer.error), (page.querySelector(".elsewhere").open = true);
    if (answer.data) select.value = answer.data;
    if (answer.parts) return fill(page, answer.parts);
    page.querySelector(".elsewhere").open = false;
    start(answer.state, answer.origin);
  };

  // Shows another path, or none when there is nothing to change.
  const show = (path) => {
    if (!path) return;
    game = path;
    draw();
    suggest();
  };
  const standAt = (at) => show(at !== game.at && game.nodes[at] ? goTo(game, at) : null);

  const proceed = (index, { from = game.futures, keep = false } = {}) => {
    const future = from[index];
    if (!future) return null;
    game = take(game, future);
    field.value = "";
    return draw(keep).then(suggest); // the new state first: looking for suggestions would hold up its drawing
  };

  // The futures of the action in the field; true when they came.
  const imagine = async () => {
    if (busy || !game) return false;
    busy = true;
    button.disabled = true;
    const node = game.nodes[game.at], tries = field.value.trim() === game.action ? game.tries + 1 : 0;
    const isLeft = () => game.nodes[game.at] !== node; // for another place in this path, or for another path
    let hasStreamed = false;
    const growing = (html) => {
      if (isLeft()) return;
      hasStreamed = true;
      fill(page, { title: "Imagining", futures: html });
    };
    const answer = await callStreaming(server, server.imagine, {
      state: node.state, action: field.value, n: samples(), seed: tries,
      best: one("[data-best]").checked, rival: one("[data-rival]").value,
    }, growing);
    busy = false;
    button.disabled = false;
    if (isLeft()) return false;
    if (answer.error && hasStreamed) await draw(); // the futures that were there before
    tell("action-error", answer.error);
    field.setAttribute("aria-invalid", Boolean(answer.error));
    if (answer.error) return false;
    game = { ...game, action: answer.action, futures: answer.futures, rivals: answer.rivals, rival: one("[data-rival]").value.trim(), tries };
    marked = -1;
    fill(page, answer.parts);
    one(".futures")?.parentElement.classList.remove("past");
    save();
    return true;
  };
  const act = async () => {
    if (await imagine() && pace() === "go") proceed(0, { keep: true });
  };
  const pick = (action) => { field.value = action; act(); };

  const pace = () => (readText(PACE) === "go" ? "go" : "choose");
  const setPace = (now) => {
    writeText(PACE, now);
    all("[data-pace]").forEach((item) => item.setAttribute("aria-pressed", item.dataset.pace === now));
  };

  // T steps on by themselves: each takes the first suggestion that leads to a state not seen on the way.
  const run = async () => {
    if (running) { running = false; return; }
    running = true;
    const total = Number(one("[data-horizon]").value), trigger = one("[data-run]");
    trigger.textContent = "Stop";
    let done = 0;
    for (; done < total && running; done++) {
      fill(page, { running: `step ${done + 1} of ${total}` });
      const actions = await waiting, seen = new Set(statesSoFar(game));
      let moved = false;
      for (const action of actions ?? []) {
        if (!running) break;
        field.value = action;
        if (!(await imagine())) continue;
        if (seen.has(game.futures[0].state)) continue;
        await proceed(0, { keep: true });
        moved = true;
        break;
      }
      if (!moved) break;
    }
    const why = done === total ? "" : running ? "no suggestion leads anywhere new" : "stopped";
    running = false;
    fill(page, { running: why });
    trigger.innerHTML = "Run <span data-steps></span>";
    steps();
  };
  const steps = () => { const n = one("[data-horizon]").value; one("[data-steps]").textContent = n === "1" ? "1 step" : `${n} steps`; };

  const saveFile = async (form) => {
    const answer = await callServer(server.save, { path: { nodes: game.nodes, at: game.at }, form, name: "path-" + id });
    if (answer.error) return tell("start-error", answer.error), (page.querySelector(".elsewhere").open = true);
    downloadBlob(await (await fetch(answer.address)).blob(), answer.name);
  };

  // The steps of a plan as steps of the path; false where the path no longer has the state that the plan begins in.
  const walkPlan = (steps, start) => {
    const walked = takePlan(game, steps, start);
    show(walked);
    return walked !== null;
  };
  const goal = mountReachGoal({ page, server, upload, path: () => game, walk: walkPlan });

  page.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.target.matches("[data-seek]")) goal.search(); else act();
  });
  page.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    let hit;
    if ((hit = on("[data-begin]"))) begin({ data: page.querySelector("select[data-collection]").value });
    else if (on("[data-begin-own]")) begin({ own: page.querySelector("[data-own]").value });
    else if (!game) return;
    else if ((hit = on("[data-suggestion]"))) pick(hit.dataset.suggestion);
    else if ((hit = on("[data-future]"))) proceed(Number(hit.dataset.future), { from: "by" in hit.dataset ? game.rivals : game.futures });
    else if ((hit = on("[data-node]"))) standAt(Number(hit.dataset.node));
    else if (on("[data-undo]")) show(undo(game));
    else if (on("[data-redo]")) show(redo(game));
    else if ((hit = on("[data-save]"))) saveFile(hit.dataset.save);
    else if ((hit = on("[data-pace]"))) setPace(hit.dataset.pace);
    else if (on("[data-run]")) run();
    else if (on("[data-reach]")) goal.toggle();
    else if ((hit = on("[data-mark]"))) showMarks(hit);
  });
  page.addEventListener("change", (event) => {
    if (event.target.matches("[data-horizon]")) steps();
    else if (game?.futures.length && event.target.matches("[data-best], [data-rival]")) { game.tries -= 1; imagine(); }
  });
  // Up and down belong to the page's scrolling until something in it has the focus.
  const within = () => page.contains(document.activeElement) && !one(".elsewhere").contains(document.activeElement);
  const walkTree = (key) => {
    standAt(neighbour(game, key));
    setTimeout(() => page.querySelector('.node[aria-current="true"]')?.focus({ preventScroll: true }), 300);
  };
  const KEYS = {
    g: () => goal.toggle(),
    u: () => show(undo(game)),
    Escape: () => { if (running) running = false; else choose(-1); },
    ArrowLeft: () => standAt(game.nodes[game.at].parent),
    ArrowRight: () => {
      if (game.futures.length) return proceed(Math.max(0, marked));
      standAt(neighbour(game, "ArrowRight"));
    },
  };
  document.addEventListener("keydown", (event) => {
    if (!element.isConnected || !game) return;
    const free = !isTyping(event), empty = event.target === field && !field.value && !event.ctrlKey && !event.metaKey;
    const act = (what, ...given) => { event.preventDefault(); what(...given); };
    const letter = event.key.toLowerCase(), command = (event.ctrlKey || event.metaKey) && "zy".includes(letter);
    if (command) {
      // A field with words in it keeps its own undo.
      if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName) && event.target.value) return;
      act(() => show((letter === "y" || event.shiftKey ? redo : undo)(game)));
    } else if (goal.isOpen() && goal.key(event)) {
      event.preventDefault();
    } else if ((free || empty) && !goal.isOpen() && /^[1-9]$/.test(event.key)) {
      const chip = all("[data-suggestion]")[Number(event.key) - 1];
      if (chip) act(pick, chip.dataset.suggestion);
    } else if (!free) return;
    else if (event.target.closest?.(".tree") && event.key.startsWith("Arrow")) act(walkTree, event.key);
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && within()) act(choose, event.key === "ArrowDown" ? marked + 1 : marked <= 0 ? choices().length - 1 : marked - 1);
    else if (event.key === "Enter" && marked >= 0 && !event.target.closest?.("button, a, summary")) act(() => choices()[marked].click());
    else if (KEYS[event.key]) act(KEYS[event.key]);
  });
  window.addEventListener("studio:checkpoint", () => { if (game) suggest(); });
  one("[data-rival]").addEventListener("focus", listModels);
  setPace(pace());
  steps();

  const query = readQuery(), old = query.path && readJson(KEY + query.path);
  if (old) {
    const { saved, ...rest } = old;
    id = query.path;
    game = rest;
    field.value = game.action;
    callServer(server.begin, {}).then((answer) => {
      if (answer.options) page.querySelector("select[data-collection]").innerHTML = answer.options;
    });
    draw();
    suggest();
    one("[data-rival]").value = game.rival ?? "";
  } else begin({ data: query.data, sequence: query.sequence, step: query.step });
};
