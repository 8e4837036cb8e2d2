// The status strip: news every 3 s while the tab is visible, the menu of checkpoints, the theme's switch.
import { linkTo } from "./shared/address.js";
import { chooseCheckpoint } from "./shared/checkpoints.js";
import { fill } from "./shared/html.js";
import { lateAnswers } from "./shared/late_answers.js";
import { isNotifying } from "./shared/notifications.js";
import { every, onReturn } from "./shared/polling.js";
import { callServer } from "./shared/server.js";
import { readJson, writeJson } from "./shared/storage.js";
import { toggleTheme } from "./shared/theme.js";

const WATCHED = "swirl-watched"; // the runs that were going on when any page last looked

export const mount = ({ element, server }) => {
  const menu = element.querySelector("details");
  const questions = lateAnswers();

  const refresh = async () => {
    const isLate = questions.ask(), watched = isNotifying() ? readJson(WATCHED, []) : [];
    const answer = await callServer(server.status, { watched });
    if (!answer.parts || isLate()) return;
    fill(element, answer.parts);
    if (isNotifying()) writeJson(WATCHED, answer.going);
    // One tag a run, so that several open pages show one notification.
    for (const { run, title, body } of answer.ended) {
      const note = new Notification(title, { body, tag: `swirl-${run}` });
      note.onclick = () => { window.focus(); location.href = linkTo("train", { run }); };
    }
  };

  element.addEventListener("click", async (event) => {
    const choice = event.target.closest("[data-checkpoint]");
    if (choice) {
      chooseCheckpoint(choice.dataset.checkpoint, choice.dataset.kind);
      menu.open = false;
      await refresh();
    } else if (event.target.closest("[data-unload]")) {
      const answer = await callServer(server.unload);
      if (answer.parts) fill(element, answer.parts);
      menu.open = false;
    } else if (event.target.closest(".theme-toggle")) {
      toggleTheme();
    }
  });
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") menu.open = false; });

  every(element, 3000, refresh, { alsoHidden: isNotifying });
  onReturn(element, refresh);
  window.addEventListener("studio:models", refresh);
  refresh();
};
