// Light and dark, as the system or the visitor wants it, and the colours that follow from it.
import { readQuery, setQuery } from "./address.js";
import { readText, writeText } from "./storage.js";

const KEY = "swirl-theme";

export const cssColour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
const isDark = () => document.body.classList.contains("dark");
const chosen = () => {
  const theme = readQuery().__theme || readText(KEY);
  return theme === "dark" || theme === "light" ? theme : null;
};

const apply = () => {
  const theme = chosen();
  if (theme) document.body.classList.toggle("dark", theme === "dark");
  document.documentElement.style.colorScheme = isDark() ? "dark" : "light";
  window.dispatchEvent(new CustomEvent("studio:theme"));
};

export const toggleTheme = () => {
  writeText(KEY, isDark() ? "light" : "dark");
  setQuery({ __theme: null });
  apply();
};

// Gradio sets the class itself when it mounts and when the system changes: the visitor's choice stays.
export const followTheme = () => {
  new MutationObserver(() => {
    const theme = chosen();
    if (theme && (theme === "dark") !== isDark()) apply();
    document.documentElement.style.colorScheme = isDark() ? "dark" : "light";
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(apply));
  apply();
};
