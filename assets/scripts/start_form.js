// The start form: values from a preset or another run, checked as they change, started once.
import { labelsChoice } from "./labels_choice.js";
import { methodAdvice } from "./method_advice.js";
import { linkTo, readQuery, setQuery } from "./shared/address.js";
import { listen, send } from "./shared/events.js";
import { fill } from "./shared/html.js";
import { lateAnswers } from "./shared/late_answers.js";
import { callServer, sendPassingFile } from "./shared/server.js";

export const mount = ({ element, server, upload }) => {
  const form = element.querySelector(".start-form"), button = form.querySelector("[data-start]");
  const inputs = () => form.querySelectorAll("[name]:not([name=preset])");
  let presets = {}, kinds = {}, like = "", waiting = null;
  const checks = lateAnswers();

  const showError = (name, sentence) => {
    const line = form.querySelector(`[data-error="${name}"]`);
    if (line.textContent !== sentence) line.textContent = sentence;
    form.querySelector(`[id="set-${name}"]`)?.toggleAttribute("aria-invalid", Boolean(sentence));
    if (sentence) unfold(line);
  };
  // The server keeps nothing of a labels file that it refused, so its checks do not know of the error, which stays.
  const errors = (found) => {
    const all = labels.error() ? { ...found, labels: labels.error() } : found;
    for (const { dataset: { error: name } } of form.querySelectorAll("[data-error]")) showError(name, all[name] ?? "");
  };
  const labels = labelsChoice({
    send: async (file) => {
      const { error, path } = await sendPassingFile(upload, file);
      return error ? { error } : callServer(server.labels, { path, name: file.name });
    },
    show: (note, error) => {
      fill(form, { "labels-note": note });
      showError("labels", error);
    },
  });

  const setInput = (input, value) => {
    if (input.type === "checkbox") input.checked = Boolean(value);
    else if (input.type === "radio") input.checked = input.value === value;
    else input.value = value ?? "";
  };
  const unfold = (input) => {
    for (let fold = input.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
  };
  // All fields: what is not among the values is off, or empty if it belongs to a single phase.
  const put = (values) => {
    for (const input of inputs()) {
      const known = input.name in values || input.type === "checkbox" || input.name.includes(".");
      if (known) setInput(input, values[input.name]);
    }
    // What overrides the field above it must be seen.
    for (const fold of form.querySelectorAll(".overrides")) fold.open = [...fold.querySelectorAll("[name]")].some((input) => input.value);
  };
  // Some fields, as if they had been typed; those folded away are shown.
  const putSome = (values) => {
    for (const input of inputs()) {
      if (!(input.name in values)) continue;
      setInput(input, values[input.name]);
      unfold(input);
    }
  };
  const read = () => {
    const values = { labels: labels.path() || null };
    for (const input of inputs()) {
      if (input.type === "checkbox") values[input.name] = input.checked;
      else if (input.type !== "radio" || input.checked) values[input.name] = input.value;
    }
    return values;
  };
  const preset = () => form.querySelector("[name=preset]:checked")?.value ?? "";

  const check = async () => {
    clearTimeout(waiting); // the values are read now; one that is still to come would make this answer late
    const isLate = checks.ask();
    const answer = await callServer(server.check, { preset: preset(), from: like, values: read(), undo: advice.undo() });
    if (isLate()) return;
    if ("probing" in answer) advice.show(answer);
    else fill(form, answer.parts ?? {});
    errors({ ...answer.errors, form: answer.error });
  };
  const advice = methodAdvice({ element, form, server, read, put: putSome, check, errors });
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(check, 250); };

  const show = async (query) => {
    const answer = await callServer(server.form, { query });
    if (answer.error) { form.hidden = false; return errors({ form: answer.error }); }
    ({ presets, kinds } = answer);
    like = query.from ?? "";
    form.querySelector("#set-data").innerHTML = answer.data;
    form.querySelector("#models").innerHTML = answer.models;
    fill(form, answer.parts);
    labelsField.value = "";
    labels.use({ path: answer.labels, note: answer.parts["labels-note"] });
    const radio = form.querySelector(`[name=preset][value="${answer.preset}"]`);
    if (radio) radio.checked = true;
    advice.forget();
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
      advice.forget();
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
  const labelsField = form.querySelector("#set-labels");
  labelsField.addEventListener("change", async () => {
    await labels.choose(labelsField.files[0]);
    if (labels.error()) labelsField.value = ""; // so that the file can be chosen again once it is mended
    check();
  });
  // The settings that make a run fit are taken over as if they had been typed.
  form.addEventListener("click", (event) => {
    const use = event.target.closest("[data-use]");
    if (!use) return;
    putSome(JSON.parse(use.dataset.use));
    check();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    const mayStart = await labels.arrived();
    clearTimeout(waiting);
    checks.ask();
    if (!mayStart) {
      button.disabled = false;
      check();
      return labelsField.focus();
    }
    const answer = await callServer(server.start, { preset: preset(), from: like, name: form.querySelector("#run-name").value, values: read() });
    button.disabled = false;
    errors({ ...answer.errors, form: answer.error ?? (answer.errors && "Correct the marked settings first.") });
    if (!answer.run) return form.querySelector("[aria-invalid]")?.focus();
    form.hidden = true;
    setQuery({ run: answer.run, new: null, from: null, data: null, model: null, set: null, labels: null }, { push: true });
    send("studio:run", answer.run);
  });

  form.addEventListener("click", (event) => {
    const link = event.target.closest("[data-label]");
    if (link) link.href = linkTo("label", { data: form.querySelector("#set-data").value });
    if (!event.target.closest("[data-no-labels]")) return;
    labels.leaveOut();
    labelsField.value = "";
    labelsField.focus();
    check();
  });

  listen("studio:form", show);
  if ("new" in readQuery() && !readQuery().run) show(readQuery());
};
