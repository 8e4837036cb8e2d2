// The control room: the machine's meters and the queue, asked for while they are seen; a notification on request.
const room = element.querySelector(".control-room"), problem = room.querySelector("[data-problem]"), bell = room.querySelector("[data-notify]");
let asked = 0;

const show = (answer) => {
  if (answer.error) { problem.textContent = answer.error; return; }
  problem.textContent = "";
  // What has the focus keeps it when the list is drawn anew.
  const held = document.activeElement?.closest?.(".queued [data-run]"), move = document.activeElement?.dataset?.move;
  const run = held?.dataset.run;
  studio.fill(room, answer.parts);
  if (!run || document.activeElement !== document.body) return;
  const row = room.querySelector(`.queued [data-run="${CSS.escape(run)}"]`);
  (row?.querySelector(`[data-move="${move}"]:not(:disabled)`) ?? row?.querySelector("button:not(:disabled)"))?.focus();
};
const refresh = async () => {
  const mine = ++asked, answer = await studio.call(server.look);
  if (mine === asked && !answer.error) show(answer);
};

room.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-move], [data-cancel]");
  if (!button) return;
  const run = button.closest("[data-run]").dataset.run;
  asked++;
  show(await (button.dataset.move ? studio.call(server.move, { run, to: button.dataset.move }) : studio.call(server.cancel, { run })));
});

// The header of every page watches the runs; here is only the switch, and the browser's question to its user.
const wanted = () => typeof Notification !== "undefined" && Notification.permission === "granted" && studio.notify();
const mark = () => {
  bell.setAttribute("aria-pressed", String(Boolean(wanted())));
  bell.textContent = wanted() ? "Notifications on" : "Notify me at the end";
};
bell.addEventListener("click", async () => {
  if (typeof Notification === "undefined") { problem.textContent = "This browser shows no notifications."; return; }
  if (wanted()) studio.notify(false);
  else if ((await Notification.requestPermission()) === "granted") studio.notify(true);
  else problem.textContent = "The browser refuses notifications from this page; allow them in its settings for this address.";
  mark();
});
mark();

const timer = setInterval(() => {
  if (!element.isConnected) return clearInterval(timer);
  if (!document.hidden) refresh();
}, 2000);
window.addEventListener("studio:run", refresh);
refresh();
