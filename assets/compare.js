// Compare: two checkpoints are asked about the same transitions, a few at a time; evaluating both is a button.
const page = element.querySelector(".compare-page"), form = page.querySelector("form"), grid = page.querySelector(".compare-grid");
const CHUNK = 4;
let options = {}, pairs = {}, kinds = {}, kind = "text"; // the checkpoints to choose from, by the kind of states they read
let visit = 0; // grows with every comparison, so that late answers to an earlier one are dropped

const tell = (sentence) => studio.fill(page, { problem: sentence ? studio.error(sentence) : "" });
const chosen = () => Object.fromEntries(["a", "b", "data"].map((name) => [name, form.elements[name].value]));
const show = async () => {
  const answer = await studio.call(server.show, { ...chosen(), disputed: page.querySelector("[data-disputed]").checked });
  if (answer.error) { tell(answer.error); return false; }
  grid.hidden = false;
  page.dataset.kind = answer.kind;
  studio.fill(page, answer.parts);
  return true;
};

const compare = async () => {
  const mine = ++visit, wanted = chosen();
  tell(wanted.a && wanted.a === wanted.b ? "A and B are the same checkpoint; choose two." : "");
  studio.setQuery(wanted);
  if (!(await show())) return;
  for (let start = 0, of = Infinity; start < of; start += CHUNK) {
    for (const side of ["a", "b"]) {
      const answer = await studio.call(server.ask, { ...wanted, side, start, size: CHUNK });
      if (mine !== visit) return;
      if (answer.error) { studio.fill(page, { tally: "" }); return tell(answer.error); }
      of = answer.of;
    }
    await show();
    if (mine !== visit) return;
  }
};

// While an evaluation goes on, its progress is asked for; it belongs to the server, so a reload finds it again.
const follow = async (answer) => {
  const button = page.querySelector("[data-evaluate]");
  while (!answer.error && element.isConnected) {
    studio.fill(page, answer.parts);
    button.disabled = answer.running;
    if (!answer.running) return;
    await new Promise((resolve) => setTimeout(resolve, 700));
    answer = await studio.call(server.progress);
    if (!answer.running && !answer.error) await show();
  }
  button.disabled = false;
  studio.fill(page, { progress: studio.error(answer.error) });
};

// Other states may need other models.
form.elements.data.addEventListener("change", () => {
  const now = kinds[form.elements.data.value] ?? "text";
  if (now === kind) return;
  kind = now;
  for (const name of ["a", "b"]) {
    form.elements[name].innerHTML = options[kind];
    form.elements[name].value = pairs[kind][name];
  }
  tell(options[kind] ? "" : `No model of ${kind === "image" ? "pictures" : "texts"} is on this machine yet; train one on the Train page.`);
});
form.addEventListener("submit", (event) => { event.preventDefault(); compare(); });
page.querySelector("[data-swap]").addEventListener("click", () => {
  const { a, b } = chosen();
  [form.elements.a.value, form.elements.b.value] = [b, a];
  if (!grid.hidden) compare();
});
page.addEventListener("click", (event) => {
  const hit = event.target.closest("[data-mark]");
  if (hit) studio.mark(hit);
});
page.querySelector("[data-disputed]").addEventListener("change", show);
page.querySelector("[data-evaluate]").addEventListener("click", async () => follow(await studio.call(server.evaluate, chosen())));

(async () => {
  const query = studio.query(), answer = await studio.call(server.choices, query);
  if (answer.error) return tell(answer.error);
  ({ checkpoints: options, pairs, kinds } = answer);
  kind = kinds[answer.chosen.data] ?? kind;
  for (const name of ["a", "b"]) form.elements[name].innerHTML = options[kind];
  form.elements.data.innerHTML = answer.collections;
  for (const [name, value] of Object.entries(answer.chosen)) form.elements[name].value = value;
  studio.fill(page, answer.parts);
  form.hidden = Boolean(answer.parts.empty);
  if (query.a && query.b && !form.hidden) compare();
  const now = await studio.call(server.progress);
  if (now.running) { await show(); follow(now); }
})();
