// The checkpoint chosen in the header, remembered for each kind of state: one that reads texts reads no pictures.
import { readText, writeText } from "./storage.js";

const KEY = "swirl-checkpoint";
let kind = ""; // of the states on this page: "text" or "image", once the page has said so

export const chosenKind = () => kind;
export const chosenCheckpoint = () => (kind && readText(`${KEY}-${kind}`)) || readText(KEY) || "";
export const chosenCheckpoints = () => ({ text: readText(`${KEY}-text`) || "", image: readText(`${KEY}-image`) || "" });

export const chooseCheckpoint = (name, its = kind) => {
  const before = chosenCheckpoint();
  writeText(KEY, name);
  if (its) writeText(`${KEY}-${its}`, name);
  if (name !== before) window.dispatchEvent(new CustomEvent("studio:checkpoint", { detail: name }));
};

export const chooseKind = (now) => {
  if (now === kind) return;
  kind = now;
  window.dispatchEvent(new Event("studio:models"));
};
