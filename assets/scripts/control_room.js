// The control room: the machine's meters and the queue, asked for while they are seen; a notification on request.
import { listen } from "./shared/events.js";
import { fill } from "./shared/html.js";
import { lateAnswers } from "./shared/late_answers.js";
import { canNotify, isNotifying, setNotifying } from "./shared/notifications.js";
import { every } from "./shared/polling.js";
import { callServer } from "./shared/server.js";

export const mount = ({ element, server }) => {
  const room = element.querySelector(".control-room"), problem = room.querySelector("[data-problem]"), bell = room.querySelector("[data-notify]");
  const questions = lateAnswers();

  const show = (answer) => {
    if (answer.error) { problem.textContent = answer.error; return; }
    problem.textContent = "";
    // What has the focus keeps it when the list is drawn anew.
    const held = document.activeElement?.closest?.(".queued [data-run]"), move = document.activeElement?.dataset?.move;
    const run = held?.dataset.run;
    fill(room, answer.parts);
    if (!run || document.activeElement !== document.body) return;
    const row = room.querySelector(`.queued [data-run="${CSS.escape(run)}"]`);
    (row?.querySelector(`[data-move="${move}"]:not(:disabled)`) ?? row?.querySelector("button:not(:disabled)"))?.focus();
  };
  const refresh = async () => {
    const isLate = questions.ask(), answer = await callServer(server.look);
    if (!isLate() && !answer.error) show(answer);
  };

  room.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-move], [data-cancel]");
    if (!button) return;
    const run = button.closest("[data-run]").dataset.run;
    questions.ask();
    show(await (button.dataset.move ? callServer(server.move, { run, to: button.dataset.move }) : callServer(server.cancel, { run })));
  });

  // The header of every page watches the runs; here is only the switch, and the browser's question to its user.
  const mark = () => {
    bell.setAttribute("aria-pressed", String(isNotifying()));
    bell.textContent = isNotifying() ? "Notifications on" : "Notify me at the end";
  };
  bell.addEventListener("click", async () => {
    if (!canNotify()) { problem.textContent = "This browser shows no notifications."; return; }
    if (isNotifying()) setNotifying(false);
    else if ((await Notification.requestPermission()) === "granted") setNotifying(true);
    else problem.textContent = "The browser refuses notifications from this page; allow them in its settings for this address.";
    mark();
  });
  mark();

  every(element, 2000, refresh);
  listen("studio:run", refresh);
  refresh();
};
