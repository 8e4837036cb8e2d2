// The status strip: news every 3 s while the tab is visible, the menu of checkpoints, the theme's switch.
const menu = element.querySelector("details");
const WATCHED = "swirl-watched"; // the runs that were going on when any page last looked
let asked = 0; // grows with every question, so that a late answer to an earlier one is dropped
const kept = () => { try { return JSON.parse(localStorage.getItem(WATCHED) ?? "[]"); } catch { return []; } };
const keep = (runs) => { try { localStorage.setItem(WATCHED, JSON.stringify(runs)); } catch { /* then no page remembers */ } };
const bell = () => typeof Notification !== "undefined" && Notification.permission === "granted" && studio.notify();

const refresh = async () => {
  const mine = ++asked, watched = bell() ? kept() : [];
  const answer = await studio.call(server.status, { watched });
  if (!answer.parts || mine !== asked) return;
  studio.fill(element, answer.parts);
  if (bell()) keep(answer.going);
  // One tag a run, so that several open pages show one notification.
  for (const { run, title, body } of answer.ended) {
    const note = new Notification(title, { body, tag: `swirl-${run}` });
    note.onclick = () => { window.focus(); location.href = studio.link("train", { run }); };
  }
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
  if (!document.hidden || bell()) refresh();
}, 3000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
window.addEventListener("studio:models", refresh);
refresh();
