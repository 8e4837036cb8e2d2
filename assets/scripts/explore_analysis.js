// Explore, a closer look: several steps ahead from the step shown, and the map of all actions. `studio:at` says which
// step is shown, `studio:go` asks to show another.
import { DIRECTIONS, nearestPlace } from "./action_map.js";
import { listen, send } from "./shared/events.js";
import { errorHtml, escapeHtml, fill, noteHtml } from "./shared/html.js";
import { isTyping } from "./shared/keyboard.js";
import { lateAnswers } from "./shared/late_answers.js";
import { follow } from "./shared/polling.js";
import { callServer, newTicket, partsOrError } from "./shared/server.js";

const CHUNK = 24; // transitions read at once, so that whoever moves need not wait long

export const mount = ({ element, server }) => {
  const page = element.querySelector(".closer"), atlas = page.querySelector("[data-atlas]");
  const part = (name) => page.querySelector(`[data-${name}]`);
  const visits = lateAnswers(), mappings = lateAnswers();
  let at = null, steps = 4, mapped = null;

  const left = () => at ? at.steps - at.step + 1 : 0;
  const own = () => part("given").value === "own";
  const wanted = () => own() ? steps : Math.min(steps, left());

  // The choice of steps: as many as the sequence has left, or all six with one's own actions.
  const drawSteps = () => {
    part("steps").innerHTML = [1, 2, 3, 4, 5, 6].map((n) => `<button type="button" data-step-count="${n}" aria-pressed="${n === wanted()}" ${!own() && n > left() ? 'disabled title="The sequence ends before"' : ""}>${n}</button>`).join("");
    const fields = part("own"), before = [...fields.querySelectorAll("input")].map((field) => field.value);
    fields.hidden = !own();
    fields.innerHTML = own() ? Array.from({ length: steps }, (_, i) => `<label>step ${i + 1}<input class="field" maxlength="300" autocomplete="off" value="${escapeHtml(before[i] ?? "")}"></label>`).join("") : "";
  };

  const ahead = async () => {
    const isLate = visits.ask(), ticket = newTicket(), fields = [...part("own").querySelectorAll("input")];
    const values = { ...at, steps: wanted(), best_of: Number(part("best").value), ticket };
    if (own()) values.actions = fields.map((field) => field.value);
    part("ahead").disabled = true;
    fill(page, { ahead: noteHtml("Going ahead …") });
    const isOver = () => isLate() || !part("ahead").disabled;
    follow(element, 500, async () => {
      const told = isOver() ? {} : await callServer(server.going, { ticket });
      if (!isOver() && told.words) fill(page, { ahead: noteHtml(`Going ahead: ${told.words}`) });
      return isOver();
    });
    const answer = await callServer(server.ahead, values);
    part("ahead").disabled = false;
    if (isLate()) return;
    fill(page, partsOrError(answer, "ahead"));
    if (!answer.error && !own()) part("own").dataset.inferred = JSON.stringify(answer.actions);
    window.dispatchEvent(new Event("studio:models"));
  };

  // One's own actions begin as those that were inferred, so that one of them can be changed.
  const chooseActions = () => {
    drawSteps();
    const inferred = JSON.parse(part("own").dataset.inferred ?? "[]");
    for (const [i, field] of [...part("own").querySelectorAll("input")].entries()) field.value ||= inferred[i] ?? "";
  };

  const map = async () => {
    const isLate = mappings.ask(), data = at.data, button = part("map");
    button.disabled = true;
    const stop = (words) => { if (!isLate()) { button.disabled = false; fill(page, { basis: words }); } };
    for (let first = 0, of = Infinity; first < of;) {
      fill(page, { basis: of === Infinity ? "Reading the actions …" : `Reading the actions: ${first} of ${of} transitions …` });
      const answer = await callServer(server.ask, { data, first, size: CHUNK });
      if (isLate()) return;
      if (answer.error) return stop(errorHtml(answer.error));
      ({ done: first, of } = answer);
    }
    fill(page, { basis: "Laying them out …" });
    await colour(data, page.querySelector('[data-colour][aria-pressed="true"]').dataset.colour, isLate);
    button.disabled = false;
  };

  const colour = async (data, by, isLate = mappings.beside()) => {
    const answer = await callServer(server.map, { data, colour: by });
    if (isLate()) return;
    if (answer.error) return fill(page, { basis: errorHtml(answer.error) });
    mapped = data;
    atlas.hidden = false;
    part("colours").hidden = !answer.truths;
    for (const choice of page.querySelectorAll("[data-colour]")) choice.setAttribute("aria-pressed", choice.dataset.colour === by);
    fill(page, answer.parts);
  };

  const known = async () => {
    const data = at.data, answer = await callServer(server.measured, { data });
    if (data !== at.data) return;
    fill(page, answer.error ? { measured: "" } : answer.parts);
    part("known").hidden = Boolean(answer.error) || !answer.parts.measured;
  };

  // Points of the map: pointed at with the mouse, or walked with the arrow keys to the nearest in that direction.
  const points = () => [...page.querySelectorAll(".action-map .point")];
  const current = () => page.querySelector('.action-map .point[aria-selected="true"]');
  const where = (point) => [Number(point.dataset.x), Number(point.dataset.y)];
  const tell = (point) => fill(page, { pointed: `<b>${escapeHtml(point.getAttribute("aria-label"))}</b>` });
  const choose = (point) => {
    current()?.setAttribute("aria-selected", "false");
    point.setAttribute("aria-selected", "true");
    point.closest("svg").setAttribute("aria-activedescendant", point.id);
    tell(point);
  };
  const visitPoint = (point) => {
    choose(point);
    send("studio:go", { data: mapped, sequence: Number(point.dataset.sequence), step: Number(point.dataset.at) });
  };
  const onwards = (direction) => {
    const from = current(), all = points();
    return from ? all[nearestPlace(all.map(where), where(from), direction)] : all[0];
  };

  page.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-step-count]")) { steps = Number(on("[data-step-count]").dataset.stepCount); chooseActions(); part("steps").querySelector(`[data-step-count="${steps}"]`).focus(); }
    else if (on("[data-ahead]")) ahead();
    else if (on("[data-map]")) map();
    else if (on("[data-colour]")) colour(mapped, on("[data-colour]").dataset.colour);
    else if (on(".action-map .point")) visitPoint(on(".action-map .point"));
  });
  page.addEventListener("change", (event) => { if (event.target.matches("[data-given]")) chooseActions(); });
  page.addEventListener("pointerover", (event) => { const point = event.target.closest?.(".action-map .point"); if (point) tell(point); });
  page.addEventListener("keydown", (event) => {
    if (event.target.closest("[data-own]") && event.key === "Enter") return ahead();
    if (!event.target.matches(".action-map") || isTyping(event)) return;
    if (event.key === "Enter" || event.key === " ") { if (current()) visitPoint(current()); }
    else if (DIRECTIONS[event.key]) { const next = onwards(DIRECTIONS[event.key]); if (next) choose(next); }
    else return;
    event.preventDefault();
    event.stopPropagation(); // the walker has the same keys
  });

  listen("studio:at", (place) => {
    const before = at;
    at = place;
    page.dataset.kind = at.kind;
    part("from").textContent = `from state ${at.step}`;
    const moved = !before || ["data", "sequence", "step", "model"].some((name) => before[name] !== at[name]);
    if (moved) {
      visits.ask();
      part("ahead").disabled = !at.model || at.steps < 1;
      delete part("own").dataset.inferred;
      if (before) fill(page, { ahead: noteHtml("The walker moved; go ahead again from here.") });
    }
    drawSteps();
    if (!before || before.data !== at.data || before.model !== at.model) {
      mappings.ask();
      mapped = null;
      atlas.hidden = true;
      part("map").disabled = !at.model;
      part("colours").hidden = true;
      known();
      if (!before && location.hash === "#map" && at.model) { map(); page.querySelector("#map").scrollIntoView({ block: "start" }); }
    }
  });
};
