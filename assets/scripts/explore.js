// Explore: walking through a collection. The address holds where we are; the server draws; models answer after.
import { droppedFiles } from "./dropped_files.js";
import { askingOrder } from "./explore_order.js";
import { linkTo, readQuery, setQuery } from "./shared/address.js";
import { chooseKind, chosenCheckpoint } from "./shared/checkpoints.js";
import { download } from "./shared/downloads.js";
import { listen, send } from "./shared/events.js";
import { errorHtml, fill, noteHtml } from "./shared/html.js";
import { isTyping } from "./shared/keyboard.js";
import { lateAnswers } from "./shared/late_answers.js";
import { fileSize } from "./shared/numbers.js";
import { showMarks } from "./shared/pictures.js";
import { follow } from "./shared/polling.js";
import { callServer, callStreaming, newTicket, partsOrError, sendFile } from "./shared/server.js";

const CHUNK = 8; // steps asked for at once, so that a move need not wait long
const KEYS = { ArrowLeft: ["step", -1], ArrowRight: ["step", 1], ArrowUp: ["sequence", -1], ArrowDown: ["sequence", 1] };

export const mount = ({ element, server, upload }) => {
  const page = element.querySelector(".explore");
  const part = (name) => page.querySelector(`[data-part="${name}"]`);
  const visits = lateAnswers(); // every move is a new one
  let at = { data: null, sequence: 1, step: 1 }, sequences = 1, steps = 1;
  let settle = null;
  let importing = null; // the ticket of the import that goes on

  const problem = (text) => fill(page, { problem: text ? errorHtml(text) : "" });

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
    page.querySelector("[data-play]").href = linkTo("play", at);
    page.querySelector("[data-train]").href = linkTo("train", { new: 1, data: at.data });
    page.querySelector("[data-label]").href = linkTo("label", { data: at.data });
  };

  const go = async (where) => {
    const isLate = visits.ask();
    clearTimeout(settle);
    const answer = await callServer(server.show, { ...at, ...where });
    if (isLate()) return;
    if (answer.error) return problem(answer.error);
    ({ at, sequences, steps } = answer);
    page.dataset.kind = answer.kind;
    chooseKind(answer.kind);
    const ask = answer.model && steps > 0;
    const words = !answer.model ? "No model is on this machine yet; train one on these data."
      : answer.loaded ? `Asking ${answer.model}` : `Loading ${answer.model}; the first time takes a few seconds`;
    fill(page, { inferred: noteHtml(words), imagined: noteHtml(words), ...answer.parts });
    problem("");
    setQuery({ data: at.data, sequence: at.sequence, step: at.step });
    mark();
    if (page.dataset.saved !== at.data) fill(page, { saved: "" });
    page.dataset.saved = at.data; // what is said about saving is about this collection
    send("studio:at", { ...at, steps, kind: answer.kind, model: answer.model });
    if (ask) settle = setTimeout(() => explain(isLate, answer.missing), 90);
  };

  // First the steps around this one, then what is imagined here, then the rest of the sequence.
  const explain = async (isLate, missing) => {
    let later = true;
    const growing = (part) => (html) => { if (!isLate()) fill(page, { [part]: html }); };
    const { near, chunks } = askingOrder(missing, at.step, CHUNK);
    for (const [index, chunk] of [near, ...chunks].entries()) {
      if (chunk.length) {
        const asked = { ...at, steps: chunk };
        const answer = index === 0 ? await callStreaming(server, server.infer, asked, growing("inferred")) : await callServer(server.infer, asked);
        if (isLate()) return;
        if (answer.error) return fill(page, { inferred: errorHtml(answer.error), imagined: "" });
        fill(page, answer.parts);
      }
      if (index === 0) {
        window.dispatchEvent(new Event("studio:models"));
        const answer = await callStreaming(server, server.imagine, at, growing("imagined"));
        if (isLate()) return;
        fill(page, partsOrError(answer, "imagined"));
        if (answer.error || answer.shuffled) later = false;
      }
    }
    // The neighbours had no other action to shuffle in; by now the rest of the sequence may have one.
    if (later && chunks.length) {
      const answer = await callServer(server.imagine, at);
      if (!isLate() && !answer.error) fill(page, answer.parts);
    }
  };

  // The shown collection, or the actions inferred in it, as a file.
  const save = async (what) => {
    const data = at.data, answer = await callServer(server.export, { data, what });
    if (answer.address) download(linkTo("/" + answer.address));
    const said = answer.address ? { parts: { saved: noteHtml("On its way to your downloads.") } } : answer;
    if (at.data === data) fill(page, partsOrError(said, "saved"));
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
    const wanted = { ...readQuery(), ...values };
    const answer = await callServer(server.collections, { data: wanted.data });
    if (answer.error) return problem(answer.error);
    fill(page, answer.parts);
    const list = page.querySelector(".shelf"), chosen = list?.querySelector(`[data-collection="${CSS.escape(answer.data ?? "")}"]`);
    if (chosen) list.scrollTo({ left: chosen.offsetLeft - list.offsetLeft - 8, top: chosen.offsetTop - list.offsetTop - 60 });
    at.data = answer.data;
    const same = answer.data === wanted.data;
    await go({ data: answer.data, sequence: same ? wanted.sequence : 1, step: same ? wanted.step : 1 });
    if (answer.problem) problem(answer.problem);
  };

  // While the server reads what was sent, it is asked how far it is.
  const followImport = (ticket) => follow(element, 400, async () => {
    if (importing !== ticket) return true;
    const answer = await callServer(server.importing, { ticket });
    if (importing === ticket && answer.parts?.progress) {
      fill(page, { import: noteHtml(answer.parts.progress) + '<p><button type="button" class="button" data-stop-import>Stop</button></p>' });
    }
    return importing !== ticket;
  });

  // How it is to be read: what the fields under the drop area and the choice of a camera say.
  const how = () => Object.fromEntries([...page.querySelectorAll("[data-how] [name], [data-camera]")]
    .map((field) => [field.name, field.type === "checkbox" ? field.checked : field.value]));

  // What was brought and waits to be imported: files on the server, or a path on this machine.
  let brought = null;

  // Files of a dropped folder bring their place in it along, as `place`.
  const sendFiles = async (files) => {
    const said = files.length === 1 ? files[0].name : files.length + " files";
    const total = fileSize(files.reduce((sum, file) => sum + file.size, 0)), queue = [...files.entries()], paths = [];
    let done = 0, error;
    const tell = () => fill(page, { import: noteHtml(`Sending ${said}, ${total}` + (files.length > 1 ? `, ${done} sent` : "")) });
    const one = async () => {
      for (let next; !error && (next = queue.shift());) {
        const sent = await sendFile(upload, next[1]);
        error ??= sent.error;
        paths[next[0]] = sent.path;
        done += 1;
        if (!error) tell();
      }
    };
    tell();
    await Promise.all(Array.from({ length: 6 }, one));
    return { error, said, paths, names: files.some((file) => file.place) ? files.map((file) => file.place || file.name) : [] };
  };

  const bring = async (files) => {
    if (!files.length || importing) return;
    brought = null;
    const { error, ...what } = await sendFiles(files);
    if (error) fill(page, { import: errorHtml(error) });
    else lookInto(what);
  };

  // What an import would store is shown before it is stored.
  const lookInto = async (what, name = "") => {
    if (importing) return;
    brought = what;
    const settings = how();
    fill(page, { import: noteHtml(`Looking into ${what.said}`) });
    const answer = await callServer(server.look_into, { ...what, name, ...settings });
    if (brought !== what) return;
    fill(page, partsOrError(answer, "import"));
    if (/the field/.test(answer.error ?? "")) page.querySelector("[data-how]").open = true;
  };

  const receive = async (name) => {
    if (!brought) return;
    const what = brought, settings = how(), ticket = importing = newTicket();
    fill(page, { import: noteHtml(`Reading ${what.said}`) });
    followImport(ticket);
    const answer = await callServer(server.receive, { ...what, name, ticket, ...settings });
    if (importing === ticket) importing = null;
    if (answer.stopped) {
      fill(page, { import: answer.parts.import + '<form data-bring><input type="hidden" name="name"><button class="button button-primary">Go on</button></form>' });
      part("import").querySelector("[name=name]").value = name;
      return;
    }
    if (!answer.error) { brought = null; fill(page, answer.parts); return open({ data: answer.data, sequence: 1, step: 1 }); }
    fill(page, { import: errorHtml(answer.error) + (/name/.test(answer.error)
      ? '<form class="rename row" data-bring><input class="field" name="name" placeholder="another name" aria-label="Another name"><button class="button">Import</button></form>' : "") });
  };

  // Fill a part with the answer of a check of the whole collection, and until then with how far it is; nothing once
  // another collection or checkpoint is shown.
  const checkFor = async (name, ask, words) => {
    const data = at.data, checkpoint = chosenCheckpoint(), ticket = newTicket();
    const isShown = () => at.data === data && chosenCheckpoint() === checkpoint && part(name);
    let isOver = false;
    fill(page, { [name]: noteHtml(words) });
    follow(element, 400, async () => {
      const told = await callServer(server.checking, { ticket });
      if (!isOver && told.words && isShown()) fill(page, { [name]: noteHtml(`${words}: ${told.words}`) });
      return isOver;
    });
    const answer = await callServer(ask, { ...at, ticket });
    isOver = true;
    if (isShown()) fill(page, partsOrError(answer, name));
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
      showMarks(hit);
    } else if (on("[data-truth]")) {
      const isLate = visits.beside(), answer = await callServer(server.truth, at);
      if (!isLate()) fill(page, partsOrError(answer, "truth"));
    } else if (on("[data-check]")) {
      checkFor("health", server.check, "Checking; this takes a few seconds");
    } else if (on("[data-phases]")) {
      checkFor("phases", server.phases, "Asking every checkpoint of the run");
    } else if ((hit = on("[data-save]"))) {
      if (at.data) save(hit.dataset.save); // before a collection is open there is nothing to save
    } else if (on("[data-stop-import]")) {
      callServer(server.stop_import, { ticket: importing });
    } else if (on("[data-forget]")) {
      brought = null;
      fill(page, { import: "" });
    } else if ((hit = on("[data-remove]"))) {
      if (hit.dataset.sure) {
        const answer = await callServer(server.remove, { data: hit.dataset.remove });
        if (answer.error) return fill(page, { import: errorHtml(answer.error) });
        fill(page, { import: "" });
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
    if (event.target.matches("[data-files]")) { bring([...event.target.files]); event.target.value = ""; }
    if (event.target.matches("[data-how] [name], [data-camera]") && brought) {
      lookInto(brought, part("import").querySelector("[data-bring] [name=name]")?.value ?? "");
    }
    if (event.target.matches("[data-goto]")) go({ sequence: parseInt(event.target.value, 10) || 1, step: 1 });
  });

  const drop = page.querySelector(".drop");
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => { event.preventDefault(); bring(await droppedFiles(event.dataTransfer)); });
  page.addEventListener("submit", (event) => {
    event.preventDefault();
    const { name, place } = event.target.elements;
    if (event.target.matches("[data-bring]")) receive(name.value);
    if (event.target.matches("[data-local]") && place.value.trim()) lookInto({ said: place.value.trim(), place: place.value.trim() });
  });

  document.addEventListener("keydown", (event) => {
    if (!element.isConnected || !KEYS[event.key] || isTyping(event)) return;
    event.preventDefault();
    move(...KEYS[event.key]);
  });
  window.addEventListener("studio:checkpoint", () => go({}));
  listen("studio:go", (place) => {
    go(place);
    page.querySelector(".walker").scrollIntoView({ block: "nearest" });
  });
  open();
};
