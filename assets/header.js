// The status strip: news every 3 s while the tab is visible, the menu of checkpoints, the theme's switch.
const menu = element.querySelector("details");
let asked = 0; // grows with every question, so that a late answer to an earlier one is dropped
const refresh = async () => {
  const mine = ++asked;
  const answer = await studio.call(server.status);
  if (answer.parts && mine === asked) studio.fill(element, answer.parts);
};

element.addEventListener("click", async (event) => {
  const choice = event.target.closest("[data-checkpoint]");
  if (choice) {
    studio.chooseCheckpoint(choice.dataset.checkpoint, choice.dataset.kind);
    menu.open = false;
    await refresh();
  } else if (event.target.closest("[data-unload]")) {
    const answer = await studio.call(server.unload);
    if (answer.parts) studio.fill(element, answer.parts);
    menu.open = false;
  } else if (event.target.closest(".theme-toggle")) {
    studio.toggleTheme();
  }
});
document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") menu.open = false; });

const timer = setInterval(() => {
  if (!element.isConnected) return clearInterval(timer);
  if (!document.hidden) refresh();
}, 3000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
window.addEventListener("studio:models", refresh);
refresh();
