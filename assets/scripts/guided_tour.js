// The guided path: this browser keeps which steps are done and whether it is over; the page is watched, never touched.
import { linkTo, readQuery } from "./shared/address.js";
import { errorHtml, escapeHtml, fill } from "./shared/html.js";
import { every } from "./shared/polling.js";
import { callServer } from "./shared/server.js";
import { readJson, writeJson } from "./shared/storage.js";

const KEY = "swirl-guide";

export const mount = ({ element, server }) => {
  const strip = element.querySelector(".guide"), here = strip.dataset.guide;
  const find = (selector) => strip.querySelector(selector);
  let state = { done: [], run: "", over: false, ...readJson(KEY, {}) };
  if (!Array.isArray(state.done)) state.done = []; // anything may lie in a browser's storage
  let first = "", asking = false;

  const change = (values) => { state = { ...state, ...values }; writeJson(KEY, state); draw(); };
  const done = () => state.done.includes(here);

  const draw = () => {
    strip.hidden = state.over;
    const next = find("[data-guide-next]"), start = find("[data-guide-start]");
    find("[data-guide-noticed]").hidden = !done();
    next?.classList.toggle("button-primary", done());
    if (done() && here === "compare") find("[data-guide-pair]").hidden = true;
    if (start) start.hidden = done() || Boolean(state.run && readQuery().run === state.run);
  };

  // What the page shows once its step was done.
  const place = () => { const { data, sequence, step } = readQuery(); return step && document.querySelector(".action-chip[aria-current=step]") ? `${data} ${sequence} ${step}` : ""; };
  const SEEN = {
    explore: () => {
      const now = place();
      if (!first || now.split(" ")[0] !== first.split(" ")[0]) first = now;
      return now && now !== first;
    },
    play: () => document.querySelector(".play [data-future]") || document.querySelectorAll(".play [data-node]").length > 1,
    train: () => document.querySelector('.run-view:not([hidden]) [data-part="rollouts"] tbody tr'),
    compare: () => document.querySelector(".compare-page .compare-grid:not([hidden]) [data-part=tally] .verdict"),
  };

  // The action of the step one stands on, once it was inferred.
  const quote = () => {
    const part = find("[data-guide-quote]"), action = document.querySelector(".action-chip[aria-current=step] b")?.textContent;
    const words = action ? `: the inverse model calls this step “${action}”` : "";
    if (part && part.textContent !== words) part.textContent = words;
  };

  // On Compare: how far the run of this path is, and its two checkpoints as soon as there are two.
  const follow = async () => {
    if (here !== "compare" || !state.run || done() || asking) return;
    asking = true;
    const answer = await callServer(server.standing, { run: state.run });
    const pair = find("[data-guide-pair]");
    pair.hidden = !answer.pair;
    if (answer.pair) pair.href = linkTo("compare", { a: answer.pair[0], b: answer.pair[1] });
    fill(strip, { "guide-news": answer.error ? errorHtml(answer.error) : escapeHtml(answer.words) });
    asking = Boolean(answer.pair || answer.error); // then there is nothing more to ask
  };

  const look = () => {
    if (state.over) return;
    if (here === "explore") quote();
    if (done()) return;
    if (here === "train" && state.run && readQuery().run === state.run) {
      fill(strip, { "guide-news": "It has begun; its first rollouts appear below within a few seconds." });
    }
    if (SEEN[here]?.()) {
      fill(strip, { "guide-news": "" });
      change({ done: [...state.done, here], run: here === "train" ? readQuery().run : state.run });
    } else follow();
  };

  const start = async (button) => {
    button.disabled = true;
    const answer = await callServer(server.begin);
    button.disabled = false;
    if (answer.error) return fill(strip, { "guide-news": errorHtml(answer.error) });
    change({ run: answer.run });
    location.href = linkTo("train", { run: answer.run });
  };

  strip.addEventListener("click", (event) => {
    const hit = event.target.closest("[data-guide-start], [data-guide-next], [data-guide-finish]");
    if (!hit) return;
    if ("guideStart" in hit.dataset) start(hit);
    else if ("guideFinish" in hit.dataset) {
      change({ over: true });
      if (!hit.href) document.querySelector("[data-guide-again]")?.focus({ preventScroll: true });
    } else if (here === "explore") {
      // The page's own link knows which state one stands on.
      const link = document.querySelector(".explore [data-play]");
      if (link) hit.href = link.href;
    }
  });
  document.addEventListener("click", (event) => {
    if (!element.isConnected || !event.target.closest?.("[data-guide-again]")) return;
    first = "";
    change({ done: [], run: "", over: false });
    if (here !== "explore") { location.href = linkTo("./"); return; }
    find("h2").focus();
  });
  window.addEventListener("storage", (event) => { if (event.key === KEY) { state = { ...state, ...readJson(KEY, {}) }; draw(); } });

  draw();
  every(element, 400, look);
};
