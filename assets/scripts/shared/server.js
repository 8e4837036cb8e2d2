// Asking the server: the functions that Gradio hands to a block, each of one object.
import { chosenCheckpoint, chosenCheckpoints, chosenKind } from "./checkpoints.js";
import { errorHtml } from "./html.js";

const LOST = { error: "The studio's server does not answer. Is it still running? Nothing here was lost." };

// One call, whose failure is a sentence in `error` and never an exception. Gradio answers undefined when it reaches nobody.
export const callServer = async (fn, values = {}) => {
  const chosen = { checkpoint: chosenCheckpoint(), checkpoints: chosenCheckpoints(), kind: chosenKind() };
  try { return (await fn({ ...chosen, ...values })) ?? LOST; } catch { return LOST; }
};

// What is to be shown of an answer: its parts, or its error in the part of that name.
export const partsOrError = (answer, part) => (answer.error ? { [part]: errorHtml(answer.error) } : answer.parts);

// The name under which the server keeps how far a long task is.
export const newTicket = () => Math.random().toString(36).slice(2);
