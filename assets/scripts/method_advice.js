// Which method fits: the start form's model is probed on its data; the advice is taken over, and undone, as if typed.
import { fill } from "./shared/html.js";
import { follow } from "./shared/polling.js";
import { callServer } from "./shared/server.js";

const PAUSE = 500; // milliseconds between two looks at the progress

// `read` gives the form's values, `put` sets some of them, `check` asks for the form's verdicts, `errors` shows errors.
export const methodAdvice = ({ element, form, server, read, put, check, errors }) => {
  let undo = null, following = false; // the values that the advice has replaced; whether the progress is being asked for
  const bar = form.querySelector(".probing"), stop = form.querySelector("[data-stop-probe]");
  const request = () => ({ values: read(), undo });
  const askButton = () => form.querySelector("[data-ask-advice]");

  // Shows an answer with `probing`; while that is so, goes on asking.
  const show = (answer) => {
    fill(form, answer.parts ?? {});
    const running = Boolean(answer.probing), hadFocus = document.activeElement === stop;
    bar.hidden = !running;
    askButton()?.toggleAttribute("disabled", running);
    if (!running) stop.disabled = false;
    if (!running && hadFocus) askButton()?.focus();
    if (!running || following) return;
    following = true;
    follow(element, PAUSE, async () => {
      const now = await callServer(server.follow, request());
      following = !now.error && Boolean(now.probing);
      if (!now.error) show(now);
      return !following;
    });
  };

  form.addEventListener("click", async ({ target }) => {
    if (target.closest("[data-ask-advice]")) {
      const answer = await callServer(server.advise, request());
      if (answer.error) errors({ ...answer.errors, advice: answer.error });
      else {
        form.querySelector('[data-error="advice"]').textContent = "";
        show(answer);
      }
    } else if (target.closest("[data-stop-probe]")) {
      stop.disabled = true;
      show(await callServer(server.stop, request()));
    } else if (target.closest("[data-use-advice]")) {
      const wanted = JSON.parse(target.closest("[data-use-advice]").dataset.useAdvice), now = read();
      undo = Object.fromEntries(Object.keys(wanted).map((name) => [name, now[name] ?? ""]));
      put(wanted);
      await check();
      form.querySelector("[data-undo-advice]")?.focus();
    } else if (target.closest("[data-undo-advice]")) {
      put(undo);
      undo = null;
      await check();
      form.querySelector("[data-use-advice], [data-in-use]")?.focus();
    }
  });

  return {
    show,
    undo: () => undo,
    forget: () => { undo = null; }, // what it replaced is gone
  };
};
