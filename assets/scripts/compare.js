// Compare: up to four checkpoints are asked about the same transitions, one after the other, a few at a time.
import { choiceProblem, SIDES, twinSide } from "./compare_sides.js";
import { linkTo, readQuery, setQuery } from "./shared/address.js";
import { chooseCheckpoint } from "./shared/checkpoints.js";
import { downloadBlob } from "./shared/downloads.js";
import { errorHtml, escapeHtml, fill, noteHtml } from "./shared/html.js";
import { isTyping } from "./shared/keyboard.js";
import { lateAnswers } from "./shared/late_answers.js";
import { showMarks } from "./shared/pictures.js";
import { follow } from "./shared/polling.js";
import { callServer, callStreaming, partsOrError } from "./shared/server.js";

const CHUNK = 6; // inputs asked at once
const KEYS = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "tie", s: "skip", S: "skip" };

export const mount = ({ element, server }) => {
  const page = element.querySelector(".compare-page"), form = page.querySelector("form"), grid = page.querySelector(".compare-grid");
  const voting = page.querySelector(".voting"), looks = page.querySelector("[data-looks]");
  const part = (name) => page.querySelector(`[data-${name}]`);
  let kinds = {}, kind = "text"; // the kind of each collection's states, and that of the chosen one
  let options = {}, pairs = {}, notes = {}; // by kind: the checkpoints to choose from, the first pair, and a note on it
  const comparisons = lateAnswers();
  let unloaded = []; // the sides whose checkpoint has to be loaded before it can answer
  let shown = {}; // what the page shows: the checkpoints, the collection, how many inputs

  const tell = (sentence) => fill(page, { problem: sentence ? errorHtml(sentence) : "" });
  const chosen = () => Object.fromEntries([...SIDES, "data", "count"].map((name) => [name, form.elements[name].value]));
  const present = () => SIDES.filter((side) => shown[side]);
  const titled = (name) => [...form.elements.a.options].find((option) => option.value === name)?.textContent ?? name;

  const show = async () => {
    const answer = await callServer(server.show, { ...shown, disputed: part("disputed").checked });
    if (answer.error) { tell(answer.error); return false; }
    grid.hidden = !voting.hidden; // a vote is blind, also when an evaluation ends during it
    page.dataset.kind = answer.kind;
    unloaded = answer.unloaded;
    for (const name of ["start-voting", "report"]) part(name).disabled = !answer.complete;
    fill(page, answer.parts);
    for (const side of present()) offerLook(side);
    return true;
  };

  const compare = async () => {
    const wanted = chosen(), problem = choiceProblem(wanted);
    tell(problem);
    if (problem) return;
    const isLate = comparisons.ask();
    shown = wanted;
    stopVoting();
    setQuery(wanted);
    placeLooks();
    if (!(await show())) return;
    for (const side of present()) {
      for (let first = 0, of = Infinity; first < of;) {
        const letter = side.toUpperCase(), begins = of === Infinity;
        const asking = `Asking ${letter}${begins ? "" : `: ${first} of ${of} inputs`} …`;
        const words = begins && unloaded.includes(side) ? `Loading ${letter}; the first time takes a few seconds …` : asking;
        fill(page, { asking: escapeHtml(words), tally: noteHtml(words) });
        const growing = (html) => { if (!isLate()) fill(page, { asking: escapeHtml(asking) + html, tally: noteHtml(asking) }); };
        const answer = await callStreaming(server, server.ask, { ...wanted, side, first, size: CHUNK }, growing);
        if (isLate()) return;
        if (answer.error) { fill(page, { tally: "", asking: "" }); return tell(answer.error); }
        ({ done: first, of } = answer);
        if (of <= 2 * CHUNK) { await show(); if (isLate()) return; }
      }
      await show();
      if (isLate()) return;
    }
    fill(page, { asking: "" });
  };

  // The three verdicts of each checkpoint; one that was not looked at has a button.
  const placeLooks = () => {
    looks.innerHTML = present().map((side) => `<section data-look="${side}"><h3>${side.toUpperCase()} ${escapeHtml(titled(shown[side]))}</h3><div data-part="health-${side}"></div>
<p><a href="${linkTo("", { data: shown.data })}#map" data-atlas="${side}">Map of its actions, beside the true ones</a></p></section>`).join("");
  };
  const offerLook = (side) => {
    const place = looks.querySelector(`[data-part="health-${side}"]`);
    if (place.innerHTML) return;
    place.innerHTML = `${noteHtml("Are they meaningful, have they collapsed, do they leak the next state?")}<button type="button" class="button" data-check="${side}">Check up to 40 transitions</button>`;
  };
  const look = async (side) => {
    const isLate = comparisons.beside(), part = `health-${side}`;
    fill(page, { [part]: noteHtml("Checking; this takes some seconds.") });
    const answer = await callServer(server.look, { ...shown, side });
    if (!isLate()) fill(page, partsOrError(answer, part));
  };

  // While an evaluation goes on, its progress is asked for; it belongs to the server, so a reload finds it again.
  const followEvaluation = async (first) => {
    const button = part("evaluate");
    const showProgress = (answer) => {
      fill(page, partsOrError(answer, "progress"));
      button.disabled = Boolean(answer.running);
      return !answer.running;
    };
    if (showProgress(first)) return;
    await follow(element, 700, async () => {
      const answer = await callServer(server.progress);
      if (!answer.running && !answer.error) await show();
      return showProgress(answer);
    });
  };

  // Blind votes: while they go on, nothing on the page says who made what.
  let busy = false;
  const asked = (answer) => {
    busy = false;
    fill(page, partsOrError(answer, "question"));
  };
  const startVoting = async () => {
    voting.hidden = false;
    grid.hidden = true;
    fill(page, { revealed: "", question: noteHtml("Drawing a question.") });
    voting.scrollIntoView({ block: "nearest" });
    part("stop-voting").focus();
    asked(await callServer(server.question, shown));
  };
  const stopVoting = () => {
    if (voting.hidden) return;
    voting.hidden = true;
    grid.hidden = false;
    part("start-voting").focus();
  };
  const vote = async (choice) => {
    const ticket = voting.querySelector("[data-ticket]")?.dataset.ticket;
    if (busy || !ticket) return;
    busy = true;
    asked(await callServer(server.vote, { ...shown, ticket, choice }));
  };
  const onKey = (event) => {
    if (!element.isConnected) return document.removeEventListener("keydown", onKey);
    if (voting.hidden || isTyping(event) || event.repeat) return;
    if (event.key === "Escape") return stopVoting();
    if (!KEYS[event.key]) return;
    event.preventDefault();
    vote(KEYS[event.key]);
  };
  document.addEventListener("keydown", onKey);

  const save = async () => {
    const button = part("report");
    button.disabled = true;
    const answer = await callServer(server.report, shown);
    button.disabled = false;
    if (answer.error) return tell(answer.error);
    downloadBlob(new Blob([answer.html], { type: "text/html" }), answer.name);
  };

  // A model beside the list goes into the first place that is free.
  const add = async () => {
    const answer = await callServer(server.offer, { name: page.querySelector("#other-model").value });
    if (answer.error) return tell(answer.error);
    if (!options[answer.kind].includes(answer.option)) options[answer.kind] += answer.option;
    if (answer.kind !== kind) {
      const states = answer.kind === "image" ? "pictures" : "texts";
      return tell(`${answer.name} is a model of ${states}. Choose a collection of ${states} first; then it is in the lists.`);
    }
    const values = chosen();
    fillSides(values);
    const free = SIDES.find((side) => !values[side]) ?? "d";
    form.elements[free].value = answer.name;
    tell("");
  };
  const fillSides = (values) => {
    for (const side of SIDES) {
      const optional = side === "c" || side === "d";
      form.elements[side].innerHTML = optional ? `<option value="">none</option>${options[kind]}` : `${options[kind]}<option value="" hidden>choose one</option>`;
      form.elements[side].value = values[side] ?? "";
    }
  };

  // A checkpoint that is chosen a second time leaves the second side empty.
  form.addEventListener("change", ({ target }) => {
    if (!SIDES.includes(target.name)) return;
    const twin = twinSide(chosen(), target.name), name = titled(target.value);
    if (twin) target.value = "";
    fill(page, { problem: "", "choice-note": twin ? noteHtml(`${name} is ${twin.toUpperCase()} already, so ${target.name.toUpperCase()} is empty now.`) : "" });
  });

  // Other states may need other models.
  form.elements.data.addEventListener("change", () => {
    const now = kinds[form.elements.data.value] ?? "text";
    if (now === kind) return;
    kind = now;
    fillSides(pairs[kind]);
    fill(page, { problem: "", "choice-note": notes[kind] });
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); compare(); });
  page.querySelector("#other-model").addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); add(); } });
  page.addEventListener("click", async (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-swap]")) {
      const { a, b } = chosen();
      [form.elements.a.value, form.elements.b.value] = [b, a];
      if (shown.a) compare();
    } else if (on("[data-mark]")) showMarks(on("[data-mark]"));
    else if (on("[data-offer]")) add();
    else if (on("[data-check]")) look(on("[data-check]").dataset.check);
    else if (on("[data-evaluate]")) followEvaluation(await callServer(server.evaluate, shown));
    else if (on("[data-stop-evaluation]")) fill(page, (await callServer(server.stop)).parts ?? {});
    else if (on("[data-start-voting]")) startVoting();
    else if (on("[data-stop-voting]")) stopVoting();
    else if (on("[data-vote]")) vote(on("[data-vote]").dataset.vote);
    else if (on("[data-take-back]")) asked(await callServer(server.take_back, { ...shown, vote: on("[data-take-back]").dataset.takeBack }));
    else if (on("[data-atlas]")) chooseCheckpoint(shown[on("[data-atlas]").dataset.atlas], kind);
    else if (on("[data-report]")) save();
  });
  part("disputed").addEventListener("change", show);

  (async () => {
    const query = readQuery(), answer = await callServer(server.choices, query);
    if (answer.error) return tell(answer.error);
    ({ checkpoints: options, pairs, notes, kinds } = answer);
    kind = kinds[answer.chosen.data] ?? kind;
    fillSides(answer.chosen);
    form.elements.data.innerHTML = answer.collections;
    form.elements.count.innerHTML = answer.counts;
    for (const name of ["data", "count"]) form.elements[name].value = answer.chosen[name];
    fill(page, answer.parts);
    form.hidden = Boolean(answer.parts.empty);
    if (query.a && query.b && !form.hidden) compare();
    const now = await callServer(server.progress);
    if (now.running) { shown = chosen(); placeLooks(); await show(); followEvaluation(now); }
  })();
};
