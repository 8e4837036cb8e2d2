// Runs: the history as a table that is found, sorted and paged on the server; changed in place; only what changed is fetched.
import { linkTo, readQuery, setQuery } from "./shared/address.js";
import { download } from "./shared/downloads.js";
import { errorHtml, fill, noteHtml } from "./shared/html.js";
import { lateAnswers } from "./shared/late_answers.js";
import { every, follow } from "./shared/polling.js";
import { callServer, newTicket, sendPassingFile } from "./shared/server.js";

const FILTERS = ["text", "status", "preset", "data", "tag"], MOST_CURVES = 8;
const DEFAULTS = { sort: "started", order: "down", page: "1" };

export const mount = ({ element, server, upload }) => {
  const page = element.querySelector(".runs-page"), dialog = page.querySelector("dialog");
  const form = page.querySelector(".run-filters"), bar = page.querySelector(".picked"), panel = page.querySelector("[data-differences]");
  const questions = lateAnswers();
  let wanted = {}, stamps = {}, census = null, picked = new Map(), open = new Set(), doomed = [], compared = "", typing = 0;

  const row = (id) => page.querySelector(`tr[data-run="${CSS.escape(id)}"]`);
  const tell = (sentence) => fill(page, { problem: sentence ? errorHtml(sentence) : "" });

  // ---- the table: filters, order and page live in the address, so that a reload or a link shows the same ----
  const read = () => {
    const query = readQuery();
    wanted = Object.fromEntries([...FILTERS, ...Object.keys(DEFAULTS)].map((name) => [name, query[name] ?? DEFAULTS[name] ?? ""]));
  };
  const write = (changes) => {
    Object.assign(wanted, { page: "1" }, changes);
    setQuery(Object.fromEntries(Object.entries(wanted).map(([name, value]) => [name, value === DEFAULTS[name] ? "" : value])));
    return refresh();
  };

  const refresh = async () => {
    const isLate = questions.ask(), answer = await callServer(server.runs, { wanted, runs: [...picked.keys()] });
    if (isLate()) return;
    if (answer.error) return tell(answer.error);
    tell("");
    forget(answer.gone);
    ({ stamps, census } = answer);
    wanted.page = String(answer.page);
    // The heads are drawn anew with the rows: whoever sorted by keyboard stays on the head.
    const focused = page.contains(document.activeElement) && document.activeElement.dataset.sort;
    page.querySelector('[data-part="runs"]').dataset.shown = "";
    fill(page, answer.parts);
    if (focused) page.querySelector(`[data-sort="${focused}"]`)?.focus();
    page.querySelector(".runs-head").hidden = false;
    form.hidden = !answer.all;
    for (const name of FILTERS) if (document.activeElement !== form.elements[name]) form.elements[name].value = wanted[name];
    form.querySelector("[data-clear]").hidden = !FILTERS.some((name) => wanted[name]);
    mark();
    for (const id of open) unfold(id);
  };

  // Every few seconds: has a row that is on the page changed, or has a run come, gone or changed its status?
  const poll = async () => {
    const isLate = questions.beside(), answer = await callServer(server.changes, { stamps, census });
    if (isLate()) return;
    if (answer.error) return tell(answer.error);
    if (answer.again) return busy() || refresh();
    replace(answer.rows);
  };
  const busy = () => Boolean(page.querySelector(".inline"));
  const replace = (rows) => {
    for (const [id, [stamp, html]] of Object.entries(rows)) {
      const old = row(id);
      if (!old || old.querySelector(".inline")) continue;
      const focused = old.contains(document.activeElement) ? focusable(old).indexOf(document.activeElement) : -1;
      const fresh = document.createElement("tbody");
      fresh.innerHTML = html;
      old.replaceWith(fresh.firstElementChild);
      stamps[id] = stamp;
      if (focused >= 0) focusable(row(id))[focused]?.focus();
    }
    mark();
  };
  const focusable = (within) => [...within.querySelectorAll("a, button, input")];

  // ---- choosing ----
  // Runs that are deleted, here or elsewhere, are neither chosen nor unfolded any more.
  const forget = (gone) => {
    for (const id of gone) { picked.delete(id); open.delete(id); }
  };
  const mark = () => {
    for (const box of page.querySelectorAll("[data-pick]")) {
      const line = box.closest("tr");
      box.checked = picked.has(line.dataset.run);
      line.classList.toggle("chosen", box.checked);
      if (box.checked) picked.set(line.dataset.run, { name: line.dataset.name, best: line.dataset.best });
      line.querySelector("[data-details]").setAttribute("aria-expanded", open.has(line.dataset.run));
    }
    const ids = [...picked.keys()], best = [...picked.values()].map((run) => run.best);
    bar.hidden = !ids.length;
    bar.querySelector("[data-picked]").textContent = ids.length === 1 ? `${picked.get(ids[0]).name} chosen` : `${ids.length} runs chosen`;
    const overlay = bar.querySelector("[data-overlay]"), compare = bar.querySelector("[data-compare]");
    overlay.hidden = ids.length < 2 || ids.length > MOST_CURVES;
    overlay.href = linkTo("/train", { run: ids[0], with: ids.slice(1).join(",") });
    compare.hidden = ids.length !== 2 || best.some((name) => !name);
    compare.href = linkTo("/compare", { a: best[0], b: best[1] });
    bar.querySelector("[data-show-differences]").hidden = ids.length < 2;
    differ(ids);
  };
  const differ = async (ids) => {
    panel.hidden = ids.length < 2;
    if (panel.hidden || compared === ids.join()) return;
    compared = ids.join();
    const answer = await callServer(server.difference, { runs: ids });
    if (compared !== ids.join()) return;
    if (answer.error) { panel.hidden = true; return tell(answer.error); }
    fill(page, answer.parts);
  };

  // ---- details ----
  const unfold = async (id) => {
    const line = row(id);
    if (!line) return;
    let below = line.nextElementSibling?.matches(".details") ? line.nextElementSibling : null;
    if (!below) {
      below = document.createElement("tr");
      below.className = "details";
      below.dataset.of = id;
      below.innerHTML = `<td colspan="${line.cells.length}"><p class="note">Looking it up</p></td>`;
      line.after(below);
    }
    const answer = await callServer(server.details, { run: id });
    below.firstElementChild.innerHTML = answer.error ? errorHtml(answer.error) : answer.html;
  };
  const fold = (id) => {
    open.delete(id);
    if (row(id)?.nextElementSibling?.matches(".details")) row(id).nextElementSibling.remove();
  };

  // ---- changing in place: Enter or leaving the field keeps, Escape does not ----
  const change = async (run, field, value) => {
    const answer = await callServer(server.change, { run, field, value });
    if (answer.error) { tell(answer.error); return false; }
    tell("");
    replace(answer.rows);
    return true;
  };
  const edit = (button) => {
    const run = button.closest("tr").dataset.run, field = button.dataset.change, before = button.dataset.value ?? "";
    const words = { name: ["Name", run], note: ["Note", "What was tried, what came of it"], tag: ["New tag", "a tag"] }[field];
    const input = document.createElement(field === "note" ? "textarea" : "input");
    input.className = "field inline";
    input.value = before;
    input.placeholder = words[1];
    input.setAttribute("aria-label", words[0]);
    if (field === "name") input.maxLength = 80;
    if (field === "note") input.rows = 2;
    if (field === "tag") { input.maxLength = 40; input.setAttribute("list", "run-tags"); }
    const shown = field === "name" ? button.parentElement : button;
    shown.replaceWith(input);
    input.focus();
    let over = false;
    const back = () => { over = true; input.replaceWith(shown); button.focus(); };
    const keep = async (refocus) => {
      if (over) return;
      if (input.value.trim() === before || (field === "tag" && !input.value.trim())) return back();
      over = true;
      input.readOnly = true;
      input.classList.remove("inline");
      const kept = await change(run, field, input.value);
      if (!kept) { over = false; input.readOnly = false; input.classList.add("inline"); return input.focus(); }
      if (refocus) row(run)?.querySelector(`[data-change="${field}"]`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { event.preventDefault(); back(); }
      if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); keep(true); }
    });
    input.addEventListener("blur", () => keep(false));
  };

  // ---- deleting, after saying what goes ----
  const ask = async (ids) => {
    const answer = await callServer(server.leaving, { runs: ids });
    if (answer.error) { await refresh(); return tell(answer.error); } // the table may be what is out of date
    doomed = ids;
    fill(dialog, answer.parts);
    dialog.querySelector("h2").textContent = answer.title;
    dialog.querySelector("[data-confirm]").textContent = answer.button;
    dialog.querySelector("[data-error]").textContent = "";
    dialog.showModal();
  };
  dialog.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = dialog.querySelector("[data-confirm]");
    button.disabled = true;
    const { error = "", gone = [] } = await callServer(server.delete, { runs: doomed });
    button.disabled = false;
    forget(gone);
    doomed = doomed.filter((id) => !gone.includes(id));
    dialog.querySelector("[data-error]").textContent = error;
    if (!error) dialog.close();
    refresh();
  });

  // ---- a run as a file ----
  const moving = (html) => fill(page, { moving: html });
  const waiting = (words) => moving(noteHtml(words));
  const transfer = async (words, work) => {
    const ticket = newTicket();
    let over = false;
    waiting(words);
    follow(element, 500, async () => {
      const answer = over ? {} : await callServer(server.moving, { ticket });
      if (answer.words && !over) waiting(answer.words);
      return over;
    });
    const answer = await work(ticket);
    over = true;
    moving(answer.error ? errorHtml(answer.error) : "");
    return answer.error ? null : answer;
  };
  const fetchFile = async (run) => {
    const answer = await transfer(`Writing ${run} into a file`, (ticket) => callServer(server.export, { run, ticket }));
    if (!answer) return;
    download(linkTo("/" + answer.address));
    waiting(`${run} is on its way to your downloads.`);
  };
  page.querySelector("#run-file").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    if (!file) return;
    const answer = await transfer(`Sending ${file.name}`, async (ticket) => {
      const { error, path } = await sendPassingFile(upload, file);
      return error ? { error } : callServer(server.receive, { path, name: file.name, ticket });
    });
    event.target.value = "";
    if (!answer) return;
    fill(page, answer.parts);
    write({ ...Object.fromEntries(FILTERS.map((name) => [name, ""])), ...DEFAULTS });
  });

  // ---- what is pressed and typed ----
  page.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || button.disabled) return;
    const of = button.closest("tr")?.dataset.run ?? button.closest("tr")?.dataset.of, data = button.dataset;
    if ("close" in data) dialog.close();
    else if ("sort" in data) write({ sort: data.sort, order: wanted.sort === data.sort && wanted.order === "down" ? "up" : "down" });
    else if ("page" in data) write({ page: data.page });
    else if ("clear" in data) write(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    else if ("change" in data) edit(button);
    else if ("untag" in data) change(of, "untag", data.untag);
    else if ("delete" in data) ask([of]);
    else if ("deletePicked" in data) ask([...picked.keys()]);
    else if ("export" in data) fetchFile(of);
    else if ("unpick" in data) { picked.clear(); mark(); }
    else if ("showDifferences" in data) panel.scrollIntoView({ block: "center" });
    else if ("details" in data) {
      if (open.has(of)) fold(of); else { open.add(of); unfold(of); }
      mark();
    }
  });
  page.addEventListener("change", (event) => {
    const { target } = event;
    if (target.matches("[data-pick]")) {
      const { run, name, best } = target.closest("tr").dataset;
      if (target.checked) picked.set(run, { name, best }); else picked.delete(run);
      mark();
    } else if (target.name === "sort") {
      const [sort, order] = target.value.split(" ");
      write({ sort, order });
    } else if (target.form === form && target.tagName === "SELECT") write({ [target.name]: target.value });
  });
  form.addEventListener("input", (event) => {
    if (event.target.name !== "text") return;
    clearTimeout(typing);
    typing = setTimeout(() => write({ text: form.elements.text.value }), 150);
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  every(element, 3000, () => { if (!dialog.open && census) poll(); });
  read();
  refresh();
};
