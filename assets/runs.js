// Runs: the history, two runs side by side, renaming, deleting after a question.
const page = element.querySelector(".runs-page"), dialogs = Object.fromEntries([...page.querySelectorAll("dialog")].map((d) => [d.dataset.dialog, d]));
let picked = [], about = null, compared = "";

const tell = (sentence) => studio.fill(page, { problem: sentence ? studio.error(sentence) : "" });

const show = (answer) => {
  if (answer.error) return tell(answer.error);
  tell("");
  studio.fill(page, answer.parts);
  picked = picked.filter((id) => answer.ids.includes(id));
  page.querySelector("[data-hint]").hidden = answer.ids.length < 2;
  page.querySelector(".runs-head").hidden = !answer.ids.length;
  mark();
};
const mark = () => {
  for (const box of page.querySelectorAll("[data-pick]")) box.checked = picked.includes(box.closest("tr").dataset.run);
};
const refresh = async () => show(await studio.call(server.runs));

const compare = async () => {
  const panel = page.querySelector("[data-differences]"), wanted = picked.join(" ");
  panel.hidden = picked.length < 2;
  if (panel.hidden || wanted === compared) return;
  const [left, right] = picked, answer = await studio.call(server.difference, { left, right });
  if (answer.error) return tell(answer.error);
  compared = wanted;
  studio.fill(page, answer.parts);
};

page.addEventListener("change", (event) => {
  if (!event.target.matches("[data-pick]")) return;
  const id = event.target.closest("tr").dataset.run;
  picked = event.target.checked ? [...picked, id].slice(-2) : picked.filter((other) => other !== id);
  mark();
  compare();
});

page.addEventListener("click", async (event) => {
  const close = event.target.closest("[data-close]");
  if (close) return close.closest("dialog").close();
  const kind = event.target.closest("[data-edit]") ? "edit" : event.target.closest("[data-delete]") ? "delete" : null;
  if (!kind) return;
  about = event.target.closest("tr").dataset.run;
  const answer = await studio.call(server.details, { run: about });
  if (answer.error) return tell(answer.error);
  page.querySelector("#edit-name").value = answer.name === about ? "" : answer.name;
  page.querySelector("#edit-name").placeholder = about;
  page.querySelector("#edit-note").value = answer.note;
  page.querySelector('[data-part="deletion"]').textContent = answer.deletion;
  dialogs[kind].querySelector("[data-error]").textContent = "";
  dialogs[kind].showModal();
});

page.addEventListener("submit", async (event) => {
  event.preventDefault();
  const dialog = event.target.closest("dialog");
  const answer = dialog.dataset.dialog === "edit"
    ? await studio.call(server.rename, { run: about, name: page.querySelector("#edit-name").value, note: page.querySelector("#edit-note").value })
    : await studio.call(server.delete, { run: about });
  if (answer.error) { dialog.querySelector("[data-error]").textContent = answer.error; return; }
  dialog.close();
  compared = "";
  show(answer);
  compare();
});

const timer = setInterval(() => {
  if (!element.isConnected) return clearInterval(timer);
  if (!document.hidden && !page.querySelector("dialog[open]")) refresh();
}, 3000);
refresh();
