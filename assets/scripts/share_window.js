// The share window: opened from anywhere by data-share, it asks for one thing at a time and follows it to its end.
import { chooseCheckpoint } from "./shared/checkpoints.js";
import { errorHtml, fill } from "./shared/html.js";
import { follow } from "./shared/polling.js";
import { callServer } from "./shared/server.js";

const WORDS = { folder: "Make the folder", space: "Upload the Space", model: "Push the checkpoint", fetch: "Fetch" };

export const mount = ({ element, server }) => {
  const dialog = element.querySelector("dialog.share"), form = dialog.querySelector("form");
  const button = form.querySelector("[type=submit]");
  const tell = (html) => fill(dialog, { "share-result": html });
  let following = false;

  const arrange = () => {
    const what = form.elements.what.value;
    for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(what);
    button.textContent = WORDS[what];
  };

  // Shows how far it is; true when there is nothing more to come.
  const show = (answer) => {
    if (answer.error) return true;
    fill(dialog, answer.parts);
    button.disabled = answer.running;
    return !answer.running;
  };
  const followTask = async (answer) => {
    if (following) return;
    following = true;
    if (!show(answer)) await follow(element, 500, async () => show(answer = await callServer(server.progress)));
    following = button.disabled = false;
    if (answer.error) return tell(errorHtml(answer.error));
    if (answer.name) {
      chooseCheckpoint(answer.name, answer.kind);
      window.dispatchEvent(new Event("studio:models"));
    }
  };

  const open = async (checkpoint) => {
    const answer = await callServer(server.choices, { share: checkpoint });
    if (answer.error) tell(errorHtml(answer.error));
    else {
      form.elements.share.innerHTML = answer.options;
      form.elements.share.value = answer.first;
      form.elements.token.placeholder = answer.token;
      if (answer.running) followTask(answer); else if (answer.missing) tell(errorHtml(answer.missing)); else if (!dialog.open) tell("");
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
    const answer = await callServer(server.share, { ...fields, private: form.elements.private.checked });
    button.disabled = false;
    if (answer.error) tell(errorHtml(answer.error)); else followTask(answer);
  });
};
