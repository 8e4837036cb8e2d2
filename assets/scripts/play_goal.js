// Reach a goal, a mode of Play: chooses a goal, lets the server search for it batch by batch, and shows the plan. Whoever
// leaves the page ends the search, for nobody asks for its next batch.
import { grow, newTree, treePicture } from "./goal_tree.js";
import { downloadBlob } from "./shared/downloads.js";
import { errorHtml, escapeHtml, fill } from "./shared/html.js";
import { lateAnswers } from "./shared/late_answers.js";
import { callServer, sendFile } from "./shared/server.js";

export const mountReachGoal = ({ page, server, upload, path, walk }) => {
  const one = (selector) => page.querySelector(selector);
  const searches = lateAnswers();
  let by = "step", chosen = null; // how the goal is chosen, and the key of a dropped picture
  let search = null; // { name, from, steps, real, done, again, note } of the plan that is shown; `from`, { at, state }, is its start in the path
  let isSearching = false, isStopping = false, shownFor = null, edited = null, root = null;

  const isOpen = () => page.dataset.mode === "goal";
  const tell = (words) => fill(page, { "goal-error": words ? errorHtml(words) : "" });
  const here = () => path().nodes[path().at].state;

  const choose = (kind) => {
    by = kind;
    for (const button of page.querySelectorAll("[data-by]")) button.setAttribute("aria-pressed", button.dataset.by === kind);
    for (const choice of page.querySelectorAll("[data-goal]")) choice.hidden = choice.dataset.goal !== kind;
  };

  // What can be a goal here: later states where the path began in a sequence, and the state itself to edit.
  const offer = async () => {
    const { origin = null } = path(), state = here(), key = JSON.stringify([origin, state]);
    const field = one("[data-edited]");
    if (field.value === edited || edited === null) field.value = edited = page.dataset.kind === "text" ? here() : "";
    if (key === shownFor) return;
    const isNew = shownFor === null;
    shownFor = key;
    const answer = await callServer(server.goals, { origin, state });
    if (key !== shownFor) return;
    if (answer.error) { shownFor = null; return tell(answer.error); }
    fill(page, answer.parts);
    for (const option of page.querySelectorAll("[data-budget] option")) if (Number(option.value) > answer.most) option.remove();
    one('[data-by="step"]').hidden = !answer.later;
    one('[data-by="picture"]').hidden = !answer.drops;
    const isPicture = page.dataset.kind === "image";
    if (by === "step" || isNew) choose(answer.later ? "step" : isPicture ? "picture" : "edit");
    one(".goal-choice:has(:checked)")?.scrollIntoView({ block: "nearest", inline: "center" });
  };

  const toggle = () => {
    page.dataset.mode = isOpen() ? "act" : "goal";
    if (!isOpen()) { stop(); return one("[data-reach]").focus(); }
    const open = "[data-goal]:not([hidden])";
    offer().then(() => (one(`${open} input:checked`) ?? one(`${open} :is(textarea, input)`) ?? one("[data-search]")).focus({ preventScroll: true }));
  };

  // What to do next is the one button that stands out.
  const standOut = (name) => {
    for (const other of ["search", "stop", "real", "again"]) one(`[data-${other}]`).classList.toggle("button-primary", other === name);
  };

  // A search that is at the goal goes on for a better way, but nobody need wait for that.
  const offerToStop = (isReached) => {
    fill(page, { stop: isReached ? "Take this plan" : "Stop" });
    standOut(isReached ? "stop" : "search");
  };

  const show = (searching) => {
    isSearching = searching;
    one("[data-stop]").hidden = !searching;
    if (searching) offerToStop(false);
    one("[data-search]").hidden = searching;
    const hasPlan = Boolean(search?.steps) && !searching;
    one("[data-plan]").hidden = !hasPlan;
    standOut(!hasPlan ? "search" : search.real && !search.done ? "real" : search.again ? "again" : "search");
    if (!hasPlan) return;
    one("[data-real]").hidden = !search.real || search.done;
    one("[data-again]").hidden = !search.again;
    one("[data-walk]").hidden = one(".plan .save").hidden = !search.steps.length;
  };

  const draw = (tree, words) => {
    const frame = one("[data-tree]");
    one(".goal-tree").hidden = false;
    frame.innerHTML = treePicture(tree, frame.clientWidth, words);
    frame.scrollLeft = frame.querySelector("circle.best:last-of-type").cx.baseVal.value - frame.clientWidth + 60; // the end of the best path
    fill(page, { seeking: escapeHtml(words) });
  };

  const goalValues = () => ({
    by,
    step: one('[name="goal-step"]:checked')?.value,
    goal: by === "words" ? one("[data-words]").value : by === "edit" ? one("[data-edited]").value : chosen ?? "",
  });

  const begin = () => {
    const { nodes, at, origin = null } = path();
    const values = { path: { nodes, at }, origin, data: one("select[data-collection]").value, budget: one("[data-budget]").value };
    return seek(() => callServer(server.seek, { ...values, ...goalValues() }), { at, state: nodes[at].state });
  };
  const again = () => {
    const { name, from } = search;
    return seek(() => callServer(server.replan, { search: name }), from);
  };

  // A search to its end or until it is stopped; `ask` begins it, and its plan belongs to the state `from` of the path.
  const seek = async (ask, from) => {
    if (isSearching) return;
    const isLate = searches.ask();
    search = null;
    isStopping = false;
    show(true);
    tell("");
    fill(page, { seeking: "Beginning …" });
    one(".goal-tree").hidden = true;
    let tree = newTree(), words = "", answer = await ask();
    const name = answer.search;
    for (;;) {
      if (isLate() || !page.isConnected) return;
      if (answer.error) break;
      tree = grow(tree, answer);
      draw(tree, words = answer.words);
      offerToStop(!tree.states[tree.path.at(-1)[0]].differences);
      if (answer.finished || isStopping) break;
      answer = await callServer(server.advance, { search: name });
    }
    if (!answer.error) answer = await callServer(server.found, { search: name });
    if (isLate()) return;
    window.dispatchEvent(new Event("studio:models"));
    if (answer.error) { show(false); fill(page, { seeking: "" }); return tell(answer.error); }
    reveal(answer, name, from);
    draw(tree, words); // in the room that the page has now
  };

  const reveal = (answer, name, from) => {
    const { steps, real, done, parts } = answer;
    search = { name, from, steps, real, done, again: answer.again, note: parts["plan-note"] };
    show(false);
    fill(page, parts);
    one("[data-plan]").scrollIntoView({ block: "nearest" });
    [...page.querySelectorAll(".plan-strip .again")].at(-1)?.scrollIntoView({ block: "nearest", inline: "start" });
    if (search.real && !search.done) one("[data-real]").focus({ preventScroll: true });
  };

  const stop = () => {
    if (!isSearching) return false;
    isStopping = true;
    fill(page, { seeking: "Stopping …" });
    return true;
  };

  const carryOut = async () => {
    const { name, from } = search, button = one("[data-real]"), isLate = searches.beside();
    button.disabled = true;
    const answer = await callServer(server.carry_out, { search: name });
    button.disabled = false;
    if (isLate()) return;
    if (answer.error) return fill(page, { "plan-note": errorHtml(answer.error) });
    reveal(answer, name, from);
    one('[data-part="verdicts"]').focus({ preventScroll: true });
  };

  const addToPath = () => {
    const words = "The state that this plan begins in is no longer in your path; search again from where you are.";
    fill(page, { "plan-note": walk(search.steps, search.from) ? search.note : errorHtml(words) });
  };

  const save = async (form) => {
    const answer = await callServer(server.save_plan, { search: search.name, form });
    if (answer.error) return fill(page, { "plan-note": errorHtml(answer.error) });
    downloadBlob(await (await fetch(answer.address)).blob(), answer.name);
  };

  const takePicture = async (file) => {
    if (!file) return;
    tell("");
    const { error, path } = await sendFile(upload, file);
    if (error) return tell(error);
    const answer = await callServer(server.drop_picture, { path });
    if (answer.error) return tell(answer.error);
    chosen = answer.state;
    fill(page, answer.parts);
  };

  page.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    let hit;
    if ((hit = on("[data-by]"))) { choose(hit.dataset.by); standOut("search"); }
    else if (on("[data-stop]")) stop();
    else if (on("[data-real]")) carryOut();
    else if (on("[data-again]")) again();
    else if (on("[data-walk]")) addToPath();
    else if ((hit = on("[data-save-plan]"))) save(hit.dataset.savePlan);
  });
  one("[data-seek]").addEventListener("input", () => standOut("search"));
  const drop = one("[data-drop-goal]");
  drop.addEventListener("change", (event) => takePicture(event.target.files[0]));
  drop.addEventListener("dragover", (event) => event.preventDefault());
  drop.addEventListener("drop", (event) => { event.preventDefault(); takePicture(event.dataTransfer.files[0]); });

  // Keys of this mode; true where one was meant for it.
  const key = (event) => {
    if (event.key === "Escape") return stop();
    if (event.key === "Enter" && !event.shiftKey && event.target.matches?.("[data-edited]")) { begin(); return true; }
    if (event.target.matches?.("input:not([type=radio]), textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key.toLowerCase() === "g") { toggle(); return true; }
    if (event.key.toLowerCase() === "r" && search?.real && !search.done && !isSearching) { carryOut(); return true; }
    if (event.key.toLowerCase() === "a" && search?.again && !isSearching) { again(); return true; }
    return false;
  };

  // Another state is the current one: the fields offer what can be reached from there. A plan stays with its path.
  const follow = () => {
    const start = path().nodes[0].state;
    if (root !== null && root !== start) {
      searches.ask();
      stop();
      search = null;
      show(false);
      one(".goal-tree").hidden = true;
      fill(page, { seeking: "", "goal-error": "", "goal-picture": "" });
      [edited, chosen, shownFor] = [null, null, null];
    }
    root = start;
    if (isOpen()) offer();
  };

  return { toggle, isOpen, key, follow, search: begin };
};
