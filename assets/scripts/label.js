// Label: one transition after the other, by the keyboard. The server chooses and keeps; nothing is kept here.
import { completions, nextOption } from "./label_completions.js";
import { linkTo, readQuery, setQuery } from "./shared/address.js";
import { chooseKind } from "./shared/checkpoints.js";
import { download } from "./shared/downloads.js";
import { errorHtml, escapeHtml, fill, noteHtml } from "./shared/html.js";
import { isTyping } from "./shared/keyboard.js";
import { lateAnswers } from "./shared/late_answers.js";
import { callServer, callStreaming, partsOrError } from "./shared/server.js";

export const mount = ({ element, server }) => {
  const page = element.querySelector(".label-page");
  const part = (name) => page.querySelector(`[data-part="${name}"]`);
  const field = page.querySelector("[data-action]"), list = page.querySelector("[role=listbox]");
  const select = page.querySelector("[data-collection]"), warmUp = page.querySelector("[data-warm-up]");
  const visits = lateAnswers(); // every transition is a new one
  let at = {}, used = [], count = 0;
  let busy = false; // a key held down must not answer for the transition after
  let picked = -1; // the completion that the arrow keys are at

  const room = () => (innerWidth < 560 ? 160 : innerWidth < 1300 ? 200 : 256);
  const said = (words) => { page.querySelector("[data-said]").textContent = words; };
  const problem = (words) => fill(page, { error: words ? errorHtml(words) : "" });
  const finished = () => at.sequence === undefined;

  const markSuggestion = (words) => {
    for (const one of page.querySelectorAll("[data-suggestion]")) one.setAttribute("aria-pressed", one.dataset.suggestion === words);
  };
  const write = (words) => {
    field.value = words;
    markSuggestion(words);
    offer(false);
  };

  const draw = (answer) => {
    ({ at, used, count } = answer);
    page.dataset.kind = answer.kind;
    chooseKind(answer.kind);
    const words = !answer.model ? "No model reads these states yet; use your own words."
      : answer.loaded ? "Asking" : `Loading ${answer.model}; the first time takes a few seconds. You need not wait.`;
    const waiting = { suggestions: finished() ? "" : noteHtml(words), place: "", fit: "" };
    fill(page, { ...waiting, ...answer.parts });
    for (const control of [field, ...page.querySelectorAll("[data-keep], [data-skip]")]) control.disabled = finished();
    page.querySelector("[data-undo]").disabled = !answer.parts.recent;
    page.querySelector("[data-save]").disabled = count === 0;
    if (count) { warmUp.removeAttribute("aria-disabled"); warmUp.href = linkTo("train", { new: 1, data: at.data, labels: "by-hand" }); }
    else { warmUp.setAttribute("aria-disabled", "true"); warmUp.removeAttribute("href"); }
    setQuery({ data: at.data });
    if (answer.model && !finished()) suggest(answer.known);
  };

  // The guesses for this transition, then those for the next, so that they are there when it comes.
  const suggest = async (known) => {
    const isLate = visits.ask();
    if (!known) {
      const growing = (html) => { if (!isLate()) fill(page, { suggestions: html }); };
      const answer = await callStreaming(server, server.suggest, { data: at.data }, growing);
      if (isLate()) return;
      fill(page, partsOrError(answer, "suggestions"));
      if (field.value) markSuggestion(field.value); // whoever types already keeps the list of words used before
      window.dispatchEvent(new Event("studio:models"));
      if (answer.error) return;
    }
    await callServer(server.suggest, { data: at.data, ahead: 1 });
  };

  const ask = async (fn, values, words) => {
    if (busy) return null;
    busy = true;
    const typed = document.activeElement === field;
    const answer = await callServer(fn, { ...at, room: room(), ...values });
    busy = false;
    if (answer.error) { problem(answer.error); return null; }
    visits.ask();
    draw(answer);
    write(answer.undone ?? (fn === server.show ? field.value : ""));
    if (typed && !finished()) field.focus();
    if (words) said(`${words} ${count} labelled.`);
    return answer;
  };

  const keep = () => {
    const action = field.value.trim();
    if (!finished()) ask(server.keep, { action }, `Kept: ${action}.`);
  };
  const skip = () => { if (!finished()) ask(server.skip, {}, "Skipped."); };
  const undo = () => { if (!page.querySelector("[data-undo]").disabled) ask(server.undo, {}, "Undone."); };
  const take = (number) => {
    const one = page.querySelectorAll("[data-suggestion]")[number - 1];
    if (one) { write(one.dataset.suggestion); problem(""); }
    return Boolean(one);
  };

  // Words used before that fit what is typed, those that begin so first.
  const offer = (open, all = false) => {
    const fits = open ? completions(used, field.value, { all }) : [];
    picked = -1;
    list.innerHTML = fits.map((one, index) => `<li role="option" id="label-completion-${index}" aria-selected="false">${escapeHtml(one)}</li>`).join("");
    list.hidden = !fits.length;
    field.setAttribute("aria-expanded", String(Boolean(fits.length)));
    field.removeAttribute("aria-activedescendant");
  };
  const pick = (by) => {
    const options = [...list.children];
    if (!options.length) return;
    picked = nextOption(picked, by, options.length);
    options.forEach((one, index) => one.setAttribute("aria-selected", String(index === picked)));
    field.value = options[picked].textContent;
    field.setAttribute("aria-activedescendant", options[picked].id);
  };

  const open = async (data) => {
    const begun = await callServer(server.begin, { data });
    page.hidden = false;
    if (begun.error) return problem(begun.error);
    if (select.dataset.shown !== begun.options) { select.innerHTML = begun.options; select.dataset.shown = begun.options; }
    select.value = begun.data;
    const answer = await callServer(server.show, { data: begun.data, room: room() });
    if (answer.error) return problem(answer.error);
    visits.ask();
    fill(page, { saved: "" });
    draw(answer);
    write("");
    if (begun.problem) problem(begun.problem);
  };

  const save = async () => {
    const answer = await callServer(server.save, { data: at.data });
    if (answer.error) return problem(answer.error);
    fill(page, answer.parts);
    if (!answer.address) return;
    download(answer.address, answer.name);
  };

  const whole = () => {
    const button = page.querySelector("[data-whole]"), now = part("transition").classList.toggle("whole");
    button.setAttribute("aria-pressed", now);
    button.lastChild.textContent = now ? " Show only what changed" : " Show the whole states";
  };

  page.querySelector("[data-form]").addEventListener("submit", (event) => { event.preventDefault(); keep(); });
  page.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    let hit;
    // After a click the keys belong to the page again; whoever pressed the button by the keyboard stays on it.
    if (event.detail > 0) on("[data-keep], [data-skip], [data-undo]")?.blur();
    if (on("[data-skip]")) skip();
    else if (on("[data-undo]")) undo();
    else if (on("[data-save]")) save();
    else if (on("[data-whole]")) whole();
    else if ((hit = on("[data-suggestion], [data-used]"))) { write(hit.dataset.suggestion ?? hit.dataset.used); problem(""); field.focus(); }
  });
  // Before the field loses the focus, or the list would be gone when the press ends.
  list.addEventListener("mousedown", (event) => {
    event.preventDefault();
    const hit = event.target.closest("[role=option]");
    if (hit) write(hit.textContent);
  });
  field.addEventListener("input", () => { problem(""); offer(true); });
  field.addEventListener("blur", () => offer(false));
  select.addEventListener("change", () => open(select.value));

  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") { event.preventDefault(); if (list.hidden) field.blur(); else offer(false); }
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (list.hidden) offer(true, true);
      pick(event.key === "ArrowDown" ? 1 : -1);
    } else if (/^[1-9]$/.test(event.key) && !field.value && take(Number(event.key))) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (!element.isConnected || isTyping(event) || event.repeat) return;
    const pressed = event.target.closest?.("button, a, summary");
    const key = event.key.toLowerCase();
    if (/^[1-9]$/.test(key)) { if (take(Number(key))) event.preventDefault(); }
    else if (key === "enter" && !pressed) { event.preventDefault(); if (field.value.trim()) keep(); else field.focus(); }
    else if (key === "/") { event.preventDefault(); field.focus(); }
    else if (key === "s") { event.preventDefault(); skip(); }
    else if (key === "u") { event.preventDefault(); undo(); }
    else if (key === "w" && page.dataset.kind === "text") { event.preventDefault(); whole(); }
  });
  window.addEventListener("studio:checkpoint", () => { if (!finished() && at.data) ask(server.show, {}); });
  open(readQuery().data);
};
