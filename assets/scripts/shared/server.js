// Asking the server: the functions that Gradio hands to a block, each of one object.
import { chosenCheckpoint, chosenCheckpoints, chosenKind } from "./checkpoints.js";
import { errorHtml, escapeHtml } from "./html.js";
import { wait } from "./polling.js";

const LOST = { error: "The studio's server does not answer. Is it still running? Nothing here was lost." };

// One call, whose failure is a sentence in `error` and never an exception. Gradio answers undefined when it reaches nobody.
export const callServer = async (fn, values = {}) => {
  const chosen = { checkpoint: chosenCheckpoint(), checkpoints: chosenCheckpoints(), kind: chosenKind() };
  try { return (await fn({ ...chosen, ...values })) ?? LOST; } catch { return LOST; }
};

// One file sent to the server: its path there, or a sentence in `error`. `upload` throws the status and body of a refusal.
export const sendFile = async (upload, file) => {
  try { return { path: (await upload(file)).path }; } catch (failure) {
    const [, body = ""] = /^HTTP \d+: (.*)$/s.exec(failure.message) ?? [];
    let said = body;
    try { said = JSON.parse(body).detail ?? ""; } catch { /* the guard answers in plain words */ }
    const isSentence = typeof said === "string" && /^[A-Z].*\.$/s.test(said);
    return { error: isSentence ? said : "The file did not reach the studio. Is it still running?" };
  }
};

// The same for a file that the server deletes once it has read it: under a name of its own, since equal files of equal
// names are one file there, and somebody else may have sent it, too.
export const sendPassingFile = (upload, file) =>
  sendFile(upload, new File([file], newTicket() + (/\.\w+$/.exec(file.name)?.[0] ?? "")));

// What is to be shown of an answer: its parts, or its error in the part of that name.
export const partsOrError = (answer, part) => (answer.error ? { [part]: errorHtml(answer.error) } : answer.parts);

// The name under which the server keeps how far a long task is.
export const newTicket = () => Math.random().toString(36).slice(2);

// One call during which `show` gets what the model has written so far as HTML, whenever there is more of it. A short
// answer is not preceded by its parts, which would only flicker.
const FIRST_LOOK = 400, NEXT_LOOK = 150; // milliseconds
export const callStreaming = async (server, fn, values, show) => {
  if (chosenKind() === "image") return callServer(fn, values); // frames are shown whole
  const stream = newTicket();
  let isOver = false, shown = "";
  const look = async () => {
    await wait(FIRST_LOOK);
    while (!isOver) {
      const { texts = [] } = await callServer(server.growing, { stream });
      const html = texts.map((text) => `<li><div class="future growing">${escapeHtml(text)}</div></li>`).join("");
      if (!isOver && html && html !== shown) show(`<ol class="futures" aria-busy="true">${(shown = html)}</ol>`);
      await wait(NEXT_LOOK);
    }
  };
  look();
  try { return await callServer(fn, { ...values, stream }); } finally { isOver = true; }
};
