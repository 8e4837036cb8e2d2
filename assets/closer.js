// Explore, closer: several steps ahead from where the walker stands, and the map of all actions. The walker says where
// it is with `studio:at`, and is sent somewhere with `studio:go`.
const page = element.querySelector(".closer"), atlas = page.querySelector("[data-atlas]");
const part = (name) => page.querySelector(`[data-${name}]`);
const CHUNK = 24; // transitions read at once, so that whoever moves need not wait long
let at = null, steps = 4, visit = 0, mapping = 0, mapped = null;

const note = (words) => `<p class="note">${studio.escape(words)}</p>`;
const left = () => at ? at.steps - at.step + 1 : 0;
const own = () => part("given").value === "own";
const wanted = () => own() ? steps : Math.min(steps, left());

// The choice of steps: as many as the sequence has left, or all six with one's own actions.
const drawSteps = () => {
  part("steps").innerHTML = [1, 2, 3, 4, 5, 6].map((n) => `<button type="button" data-step-count="${n}" aria-pressed="${n === wanted()}" ${!own() && n > left() ? 'disabled title="The sequence ends before"' : ""}>${n}</button>`).join("");
  const fields = part("own"), before = [...fields.querySelectorAll("input")].map((field) => field.value);
  fields.hidden = !own();
  fields.innerHTML = own() ? Array.from({ length: steps }, (_, i) => `<label>step ${i + 1}<input class="field" maxlength="300" autocomplete="off" value="${studio.escape(before[i] ?? "").replaceAll('"', "&quot;")}"></label>`).join("") : "";
};

const ahead = async () => {
  const mine = ++visit, ticket = Math.random().toString(36).slice(2), fields = [...part("own").querySelectorAll("input")];
  const values = { ...at, steps: wanted(), best_of: Number(part("best").value), ticket };
  if (own()) values.actions = fields.map((field) => field.value);
  part("ahead").disabled = true;
  studio.fill(page, { ahead: note("Going ahead …") });
  const follow = async () => {
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (mine !== visit || !part("ahead").disabled) return;
    const told = await studio.call(server.going, { ticket });
    if (mine !== visit || !part("ahead").disabled) return;
    if (told.words) studio.fill(page, { ahead: note(`Going ahead: ${told.words}`) });
    follow();
  };
  follow();
  const answer = await studio.call(server.ahead, values);
  part("ahead").disabled = false;
  if (mine !== visit) return;
  studio.fill(page, answer.error ? { ahead: studio.error(answer.error) } : answer.parts);
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
  const mine = ++mapping, data = at.data, button = part("map");
  button.disabled = true;
  const stop = (words) => { if (mine === mapping) { button.disabled = false; studio.fill(page, { basis: words }); } };
  for (let first = 0, of = Infinity; first < of;) {
    studio.fill(page, { basis: of === Infinity ? "Reading the actions …" : `Reading the actions: ${first} of ${of} transitions …` });
    const answer = await studio.call(server.ask, { data, first, size: CHUNK });
    if (mine !== mapping) return;
    if (answer.error) return stop(studio.error(answer.error));
    ({ done: first, of } = answer);
  }
  studio.fill(page, { basis: "Laying them out …" });
  await colour(data, page.querySelector('[data-colour][aria-pressed="true"]').dataset.colour, mine);
  button.disabled = false;
};

const colour = async (data, by, mine = mapping) => {
  const answer = await studio.call(server.map, { data, colour: by });
  if (mine !== mapping) return;
  if (answer.error) return studio.fill(page, { basis: studio.error(answer.error) });
  mapped = data;
  atlas.hidden = false;
  part("colours").hidden = !answer.truths;
  for (const choice of page.querySelectorAll("[data-colour]")) choice.setAttribute("aria-pressed", choice.dataset.colour === by);
  studio.fill(page, answer.parts);
};

const known = async () => {
  const data = at.data, answer = await studio.call(server.measured, { data });
  if (data !== at.data) return;
  studio.fill(page, answer.error ? { measured: "" } : answer.parts);
  part("known").hidden = Boolean(answer.error) || !answer.parts.measured;
};

// Points of the map: pointed at with the mouse, or walked with the arrow keys to the nearest in that direction.
const points = () => [...page.querySelectorAll(".action-map .point")];
const current = () => page.querySelector('.action-map .point[aria-selected="true"]');
const where = (point) => [Number(point.dataset.x), Number(point.dataset.y)];
const tell = (point) => studio.fill(page, { pointed: `<b>${studio.escape(point.getAttribute("aria-label"))}</b>` });
const choose = (point) => {
  current()?.setAttribute("aria-selected", "false");
  point.setAttribute("aria-selected", "true");
  point.closest("svg").setAttribute("aria-activedescendant", point.id);
  tell(point);
};
const visitPoint = (point) => {
  choose(point);
  window.dispatchEvent(new CustomEvent("studio:go", { detail: { data: mapped, sequence: Number(point.dataset.sequence), step: Number(point.dataset.at) } }));
};
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const onwards = ([dx, dy]) => {
  const from = current();
  if (!from) return points()[0];
  const [x, y] = where(from);
  let best = null, least = Infinity;
  for (const point of points()) {
    const [px, py] = where(point), along = (px - x) * dx + (py - y) * dy, aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    if (along > 0.5 && along + 2 * aside < least) { best = point; least = along + 2 * aside; }
  }
  return best;
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
  if (!event.target.matches(".action-map") || studio.typing(event)) return;
  if (event.key === "Enter" || event.key === " ") { if (current()) visitPoint(current()); }
  else if (WAYS[event.key]) { const next = onwards(WAYS[event.key]); if (next) choose(next); }
  else return;
  event.preventDefault();
  event.stopPropagation(); // the walker has the same keys
});

window.addEventListener("studio:at", (event) => {
  const before = at;
  at = event.detail;
  page.dataset.kind = at.kind;
  part("from").textContent = `from state ${at.step}`;
  const moved = !before || ["data", "sequence", "step", "model"].some((name) => before[name] !== at[name]);
  if (moved) {
    visit += 1;
    part("ahead").disabled = !at.model || at.steps < 1;
    delete part("own").dataset.inferred;
    if (before) studio.fill(page, { ahead: note("The walker moved; go ahead again from here.") });
  }
  drawSteps();
  if (!before || before.data !== at.data || before.model !== at.model) {
    mapping += 1;
    mapped = null;
    atlas.hidden = true;
    part("map").disabled = !at.model;
    part("colours").hidden = true;
    known();
    if (!before && location.hash === "#map" && at.model) { map(); page.querySelector("#map").scrollIntoView({ block: "start" }); }
  }
});
