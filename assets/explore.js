// Explore: walking through a collection. The address holds where we are; the server draws; models answer after.
const page = element.querySelector(".explore");
const part = (name) => page.querySelector(`[data-part="${name}"]`);
const CHUNK = 8; // steps asked for at once, so that a move need not wait long
let at = { data: null, sequence: 1, step: 1 }, sequences = 1, steps = 1;
let visit = 0; // grows with every move, so that late answers to an earlier one are dropped
let settle = null;
let importing = null; // the ticket of the import that goes on

const problem = (text) => studio.fill(page, { problem: text ? studio.error(text) : "" });

const mark = () => {
  for (const item of page.querySelectorAll("[data-collection]")) {
    item.setAttribute("aria-current", item.dataset.collection === at.data ? "true" : "false");
  }
  for (const item of page.querySelectorAll(".action-chip")) {
    item.setAttribute("aria-current", Number(item.dataset.step) === at.step ? "step" : "false");
  }
  for (const frame of page.querySelectorAll(".frame")) {
    const number = Number(frame.dataset.state);
    frame.classList.toggle("here", steps > 0 && (number === at.step || number === at.step + 1));
  }
  const film = page.querySelector(".filmstrip"), chip = page.querySelector('.action-chip[aria-current="step"]');
  if (film && chip) film.scrollLeft = chip.offsetLeft - (film.clientWidth - chip.offsetWidth) / 2;
  page.querySelector("[data-goto]").value = at.sequence;
  page.querySelector("[data-goto]").style.width = `${String(at.sequence).length + 2}ch`;
  const ends = { "step -1": at.step <= 1, "step 1": at.step >= steps, "sequence -1": at.sequence <= 1, "sequence 1": at.sequence >= sequences };
  for (const key of page.querySelectorAll(".keys [data-move]")) key.disabled = ends[key.dataset.move];
  page.querySelector("[data-play]").href = studio.link("play", at);
  page.querySelector("[data-train]").href = studio.link("train", { new: 1, data: at.data });
  page.querySelector("[data-label]").href = studio.link("label", { data: at.data });
};

const waiting = (words) => `<p class="note">${words}</p>`;

const go = async (where, { quiet = false } = {}) => {
  const mine = ++visit;
  clearTimeout(settle);
  const answer = await studio.call(server.show, { ...at, ...where });
  if (mine !== visit) return;
  if (answer.error) return problem(answer.error);
  ({ at, sequences, steps } = answer);
  page.dataset.kind = answer.kind;
  studio.chooseKind(answer.kind);
  const ask = answer.model && steps > 0;
  const words = !answer.model ? "No model is on this machine yet; train one on these data."
    : answer.loaded ? `Asking ${studio.escape(answer.model)}` : `Loading ${studio.escape(answer.model)}; the first time takes a few seconds`;
  studio.fill(page, { inferred: waiting(words), imagined: waiting(words), ...answer.parts });
  problem("");
  studio.setQuery({ data: at.data, sequence: at.sequence, step: at.step });
  mark();
  window.dispatchEvent(new CustomEvent("studio:at", { detail: { ...at, steps, kind: answer.kind, model: answer.model } }));
  if (ask) settle = setTimeout(() => explain(mine, answer.missing), 90);
};

// First the steps around this one, then what is imagined here, then the rest of the sequence.
const explain = async (mine, missing) => {
  let later = true;
  const near = missing.filter((i) => Math.abs(i - (at.step - 1)) <= 1);
  const rest = missing.filter((i) => !near.includes(i));
  const chunks = [near, ...Array.from({ length: Math.ceil(rest.length / CHUNK) }, (_, i) => rest.slice(i * CHUNK, (i + 1) * CHUNK))];
  for (const [index, chunk] of chunks.entries()) {
    if (chunk.length) {
      const answer = await studio.call(server.infer, { ...at, steps: chunk });
      if (mine !== visit) return;
      if (answer.error) return studio.fill(page, { inferred: studio.error(answer.error), imagined: "" });
      studio.fill(page, answer.parts);
    }
    if (index === 0) {
      window.dispatchEvent(new Event("studio:models"));
      const answer = await studio.call(server.imagine, at);
      if (mine !== visit) return;
      studio.fill(page, answer.error ? { imagined: studio.error(answer.error) } : answer.parts);
      if (answer.error || answer.shuffled) later = false;
    }
  }
  // The neighbours had no other action to shuffle in; by now the rest of the sequence may have one.
  if (later && rest.length) {
    const answer = await studio.call(server.imagine, at);
    if (mine === visit && !answer.error) studio.fill(page, answer.parts);
  }
};

const move = (what, by) => {
  if (what === "step") {
    const step = at.step + by;
    if (step >= 1 && step <= steps) { at = { ...at, step }; mark(); go({ step }); }
  } else {
    const sequence = at.sequence + by;
    if (sequence >= 1 && sequence <= sequences) { at = { ...at, sequence, step: 1 }; go({ sequence, step: 1 }); }
  }
};

const open = async (values = {}) => {
  const wanted = { ...studio.query(), ...values };
  const answer = await studio.call(server.collections, { data: wanted.data });
  if (answer.error) return problem(answer.error);
  studio.fill(page, answer.parts);
  const list = page.querySelector(".shelf"), chosen = list?.querySelector(`[data-collection="${CSS.escape(answer.data ?? "")}"]`);
  if (chosen) list.scrollTo({ left: chosen.offsetLeft - list.offsetLeft - 8, top: chosen.offsetTop - list.offsetTop - 60 });
  at.data = answer.data;
  const same = answer.data === wanted.data;
  await go({ data: answer.data, sequence: same ? wanted.sequence : 1, step: same ? wanted.step : 1 });
  if (answer.problem) problem(answer.problem);
};

// While the server reads what was sent, it is asked how far it is.
const follow = async (ticket) => {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 400));
    if (importing !== ticket) return;
    const answer = await studio.call(server.importing, { ticket });
    if (importing === ticket && answer.parts?.progress) studio.fill(page, { import: waiting(answer.parts.progress) });
  }
};

const size = (bytes) => bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${Math.round(bytes / 1e6)} MB`;

// How videos are to be read: what the fields under the drop area say.
const how = () => Object.fromEntries([...page.querySelectorAll("[data-how] input")]
  .map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]));

// Files of a dropped folder bring their place in it along, as `place`.
const receive = async (files, name = "", sent = null) => {
  if (!files.length) return;
  const said = files.length === 1 ? studio.escape(files[0].name) : files.length + " files";
  const ticket = importing = Math.random().toString(36).slice(2);
  const failed = (html) => { importing = null; studio.fill(page, { import: html }); };
  if (!sent) {
    let done = 0;
    const total = size(files.reduce((sum, file) => sum + file.size, 0)), queue = [...files.entries()];
    const tell = () => studio.fill(page, { import: waiting(`Sending ${said}, ${total}` + (files.length > 1 ? `, ${done} sent` : "")) });
    sent = [];
    const one = async () => {
      for (let next; (next = queue.shift());) { sent[next[0]] = (await upload(next[1])).path; done += 1; tell(); }
    };
    tell();
    try { await Promise.all(Array.from({ length: 6 }, one)); }
    catch { return failed(studio.error("The file did not reach the studio. Is it still running?")); }
  }
  studio.fill(page, { import: waiting(`Reading ${said}`) });
  follow(ticket);
  const places = files.some((file) => file.place) ? files.map((file) => file.place || file.name) : [];
  const answer = await studio.call(server.receive, { paths: sent, names: places, name, ticket, ...how() });
  if (importing === ticket) importing = null;
  if (!answer.error) { studio.fill(page, answer.parts); return open({ data: answer.data, sequence: 1, step: 1 }); }
  failed(studio.error(answer.error) + (/name/.test(answer.error)
    ? '<form class="rename row"><input class="field" name="name" placeholder="another name" aria-label="Another name"><button class="button">Import</button></form>' : ""));
  const form = part("import").querySelector("form");
  form?.addEventListener("submit", (event) => { event.preventDefault(); receive(files, form.elements.name.value, sent); });
};

// What was dropped, folders opened; hidden files stay where they are.
const dropped = async (data) => {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...data.files];
  const files = [];
  const open = async (entry) => {
    if (entry.name.startsWith(".")) return;
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      files.push(Object.assign(file, { place: entry.fullPath.replace(/^\//, "") }));
      return;
    }
    const reader = entry.createReader();
    for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length;) {
      for (const child of some) await open(child);
    }
  };
  for (const entry of entries) await open(entry);
  return files;
};

page.addEventListener("click", async (event) => {
  const on = (selector) => event.target.closest(selector);
  let hit;
  if ((hit = on("[data-collection]"))) go({ data: hit.dataset.collection, sequence: 1, step: 1 });
  else if ((hit = on("[data-step]"))) go({ step: Number(hit.dataset.step) });
  else if ((hit = on("[data-move]"))) move(hit.dataset.move.split(" ")[0], Number(hit.dataset.move.split(" ")[1]));
  else if ((hit = on("[data-whole]"))) {
    const whole = page.querySelector(".explain").classList.toggle("whole");
    hit.setAttribute("aria-pressed", whole);
    hit.textContent = whole ? "Show only what changed" : "Show the whole states";
  } else if ((hit = on("[data-mark]"))) {
    studio.mark(hit);
  } else if (on("[data-truth]")) {
    const mine = visit, answer = await studio.call(server.truth, at);
    if (mine === visit) studio.fill(page, answer.error ? { truth: studio.error(answer.error) } : answer.parts);
  } else if (on("[data-check]")) {
    const data = at.data;
    studio.fill(page, { health: waiting("Checking; this takes a few seconds") });
    const answer = await studio.call(server.check, at);
    if (at.data === data) studio.fill(page, answer.error ? { health: studio.error(answer.error) } : answer.parts);
  } else if ((hit = on("[data-remove]"))) {
    if (hit.dataset.sure) {
      const answer = await studio.call(server.remove, { data: hit.dataset.remove });
      if (answer.error) return studio.fill(page, { import: studio.error(answer.error) });
      studio.fill(page, { import: "" });
      open({ data: at.data === hit.dataset.remove ? answer.data : at.data, sequence: 1, step: 1 });
    } else { hit.dataset.sure = "yes"; hit.textContent = "really remove"; }
  }
});
page.addEventListener("input", (event) => {
  if (!event.target.matches("[data-find]")) return;
  const wanted = event.target.value.trim().toLowerCase();
  let found = 0;
  for (const item of page.querySelectorAll(".shelf li")) {
    item.hidden = !item.querySelector("b").textContent.toLowerCase().includes(wanted);
    found += !item.hidden;
  }
  page.querySelector("[data-nothing-found]").hidden = found > 0;
});
page.addEventListener("change", (event) => {
  if (event.target.matches("[data-files]")) { receive([...event.target.files]); event.target.value = ""; }
  if (event.target.matches("[data-goto]")) go({ sequence: parseInt(event.target.value, 10) || 1, step: 1 });
});

const drop = page.querySelector(".drop");
for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
drop.addEventListener("drop", async (event) => { event.preventDefault(); receive(await dropped(event.dataTransfer)); });

const KEYS = { ArrowLeft: ["step", -1], ArrowRight: ["step", 1], ArrowUp: ["sequence", -1], ArrowDown: ["sequence", 1] };
document.addEventListener("keydown", (event) => {
  if (!element.isConnected || !KEYS[event.key] || studio.typing(event)) return;
  event.preventDefault();
  move(...KEYS[event.key]);
});
window.addEventListener("studio:checkpoint", () => go({}));
window.addEventListener("studio:go", (event) => {
  go(event.detail);
  page.querySelector(".walker").scrollIntoView({ block: "nearest" });
});
open();
