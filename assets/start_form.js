// The start form: values from a preset or another run, checked as they change, started once.
const form = element.querySelector(".start-form"), button = form.querySelector("[data-start]");
const inputs = () => form.querySelectorAll("[name]:not([type=radio])");
let presets = {}, kinds = {}, labels = "", like = "", checks = 0, waiting = null;

const errors = (found) => {
  for (const line of form.querySelectorAll("[data-error]")) {
    const name = line.dataset.error, sentence = found[name] ?? "";
    if (line.textContent !== sentence) line.textContent = sentence;
    form.querySelector(`[id="set-${name}"]`)?.toggleAttribute("aria-invalid", Boolean(sentence));
    if (sentence) for (let fold = line.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
};

const put = (values) => {
  for (const input of inputs()) {
    const value = values[input.name];
    if (input.type === "checkbox") input.checked = Boolean(value);
    else if (value !== undefined || input.name.includes(".")) input.value = value ?? "";
  }
  // What overrides the field above it must be seen.
  for (const fold of form.querySelectorAll(".overrides")) fold.open = [...fold.querySelectorAll("[name]")].some((input) => input.value);
};
const read = () => {
  const values = { labels: labels || null };
  for (const input of inputs()) values[input.name] = input.type === "checkbox" ? input.checked : input.value;
  return values;
};
const preset = () => form.querySelector("[name=preset]:checked")?.value ?? "";

const check = async () => {
  const mine = ++checks;
  const answer = await studio.call(server.check, { preset: preset(), from: like, values: read() });
  if (mine !== checks) return;
  studio.fill(form, answer.parts ?? {});
  errors({ ...answer.errors, form: answer.error });
};
const soon = () => { clearTimeout(waiting); waiting = setTimeout(check, 250); };

const show = async (query) => {
  const answer = await studio.call(server.form, { query });
  if (answer.error) { form.hidden = false; return errors({ form: answer.error }); }
  ({ presets, kinds } = answer);
  labels = answer.labels;
  like = query.from ?? "";
  form.querySelector("#set-data").innerHTML = answer.data;
  form.querySelector("#models").innerHTML = answer.models;
  studio.fill(form, answer.parts);
  const radio = form.querySelector(`[name=preset][value="${answer.preset}"]`);
  if (radio) radio.checked = true;
  put(answer.values);
  form.hidden = false;
  await check();
};

form.addEventListener("input", (event) => {
  if (event.target.name === "preset") {
    const kept = Object.fromEntries(["data", "seed"].map((name) => [name, form.querySelector(`[name=${name}]`).value]));
    const its = presets[event.target.value];
    // A preset for pictures learns from no texts: then it brings its own sequences.
    if (kinds[kept.data] !== kinds[its.data] && its.data in kinds) delete kept.data;
    put({ ...its, ...kept });
    return check();
  }
  // A value for both phases is one for both: it ends those of a single phase, as it does on the command line.
  for (const way of ["forward", "inverse"]) {
    const own = form.querySelector(`[id="set-${way}.${event.target.name}"]`);
    if (own) own.value = "";
  }
  if (event.target.type !== "file") soon();
});
form.querySelector("#set-labels").addEventListener("change", async (event) => {
  const file = event.target.files[0];
  labels = "";
  if (file) {
    let answer;
    try { answer = await studio.call(server.labels, { path: (await upload(file)).path, name: file.name }); }
    catch (error) { answer = { error: "The file could not be sent; is it larger than the server allows?" }; }
    if (answer.error) { event.target.value = ""; return errors({ labels: answer.error }); }
    labels = answer.path;
    studio.fill(form, { "labels-note": studio.escape(answer.note) });
  }
  check();
});
// The settings that make a run fit are taken over as if they had been typed.
form.addEventListener("click", (event) => {
  const use = event.target.closest("[data-use]");
  if (!use) return;
  for (const [name, value] of Object.entries(JSON.parse(use.dataset.use))) {
    const input = form.querySelector(`[id="set-${name}"]`);
    input.value = value;
    for (let fold = input.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  }
  check();
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (button.disabled) return;
  button.disabled = true;
  clearTimeout(waiting);
  checks++;
  const answer = await studio.call(server.start, { preset: preset(), from: like, name: form.querySelector("#run-name").value, values: read() });
  button.disabled = false;
  errors({ ...answer.errors, form: answer.error ?? (answer.errors && "Correct the marked settings first.") });
  if (!answer.run) return form.querySelector("[aria-invalid]")?.focus();
  form.hidden = true;
  studio.setQuery({ run: answer.run, new: null, from: null, data: null, model: null, set: null, labels: null }, { push: true });
  window.dispatchEvent(new CustomEvent("studio:run", { detail: answer.run }));
});

form.addEventListener("click", (event) => {
  const link = event.target.closest("[data-label]");
  if (link) link.href = studio.link("label", { data: form.querySelector("#set-data").value });
  if (!event.target.closest("[data-no-labels]")) return;
  labels = "";
  studio.fill(form, { "labels-note": "The run starts without a warm-up on labels." });
  form.querySelector("#set-labels").focus();
  check();
});

window.addEventListener("studio:form", (event) => show(event.detail));
if ("new" in studio.query() && !studio.query().run) show(studio.query());
