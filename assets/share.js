// The share window: opened from anywhere by data-share, it asks for one thing at a time and follows it to its end.
const dialog = element.querySelector("dialog.share"), form = dialog.querySelector("form");
const button = form.querySelector("[type=submit]"), WORDS = { folder: "Make the folder", space: "Upload the Space", model: "Push the checkpoint", fetch: "Fetch" };
const tell = (html) => studio.fill(dialog, { "share-result": html });
let following = false;

const arrange = () => {
  const what = form.elements.what.value;
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(what);
  button.textContent = WORDS[what];
};

const follow = async (answer) => {
  if (following) return;
  following = true;
  while (!answer.error && element.isConnected) {
    studio.fill(dialog, answer.parts);
    button.disabled = answer.running;
    if (!answer.running) break;
    await new Promise((resolve) => setTimeout(resolve, 500));
    answer = await studio.call(server.progress);
  }
  following = button.disabled = false;
  if (answer.error) return tell(studio.error(answer.error));
  if (answer.name) {
    studio.chooseCheckpoint(answer.name, answer.kind);
    window.dispatchEvent(new Event("studio:models"));
  }
};

const open = async (checkpoint) => {
  const answer = await studio.call(server.choices, { share: checkpoint });
  if (answer.error) tell(studio.error(answer.error));
  else {
    form.elements.share.innerHTML = answer.options;
    form.elements.share.value = answer.first;
    form.elements.token.placeholder = answer.token;
    if (answer.running) follow(answer); else if (!dialog.open) tell("");
  }
  arrange();
  if (!dialog.open) dialog.showModal();
};

document.addEventListener("click", (event) => {
  const opener = element.isConnected && event.target.closest?.("[data-share]");
  if (opener) open(opener.dataset.share);
});
dialog.addEventListener("click", (event) => { if (event.target === dialog || event.target.closest("[data-close]")) dialog.close(); });
// While the window is open the keys are its own: a page's shortcuts, and what they do to Escape, wait behind it.
window.addEventListener("keydown", (event) => { if (dialog.open && element.isConnected) event.stopImmediatePropagation(); }, true);
dialog.addEventListener("close", () => { form.elements.token.value = ""; });
form.addEventListener("change", (event) => { if (event.target.name === "what") { arrange(); if (!following) tell(""); } });
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = Object.fromEntries(["what", "share", "repository", "token"].map((name) => [name, form.elements[name].value]));
  form.elements.token.value = "";
  button.disabled = true;
  const answer = await studio.call(server.share, { ...fields, private: form.elements.private.checked });
  button.disabled = false;
  if (answer.error) tell(studio.error(answer.error)); else follow(answer);
});
