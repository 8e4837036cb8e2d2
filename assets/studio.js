// Shared by every page: filling parts of a page, the address as its state, the theme, the chosen checkpoint.
window.studio ??= (() => {
  const THEME = "swirl-theme", CHECKPOINT = "swirl-checkpoint";

  const read = (key) => { try { return localStorage.getItem(key); } catch { return null; } };
  const write = (key, value) => {
    try { value ? localStorage.setItem(key, value) : localStorage.removeItem(key); }
    catch { console.info("This browser keeps no settings for this page."); }
  };

  // A long state scrolls in its own box, and whoever has no mouse must be able to reach it.
  const reachable = (part) => {
    for (const text of part.querySelectorAll("figure.state > .state-text")) {
      if (text.scrollHeight > text.clientHeight + 1) text.tabIndex = 0;
    }
  };

  // Writes each html into the child marked data-part; untouched parts and equal html are left alone.
  const fill = (element, parts) => {
    for (const [name, html] of Object.entries(parts)) {
      const part = element.querySelector(`[data-part="${name}"]`);
      if (part && part.dataset.shown !== html) { part.innerHTML = html; part.dataset.shown = html; reachable(part); }
    }
  };

  const query = () => Object.fromEntries(new URLSearchParams(location.search));
  const setQuery = (values, { push = false } = {}) => {
    const search = new URLSearchParams(location.search);
    for (const [key, value] of Object.entries(values)) {
      if (value === null || value === undefined || value === "") search.delete(key); else search.set(key, value);
    }
    const text = search.toString();
    const url = location.pathname + (text ? "?" + text : "") + location.hash;
    history[push ? "pushState" : "replaceState"](history.state, "", url);
  };
  const link = (path, values = {}) => {
    const text = new URLSearchParams(Object.entries(values).filter(([, v]) => v !== null && v !== undefined)).toString();
    return new URL(path.replace(/^\//, "") || ".", document.baseURI).pathname + (text ? "?" + text : "");
  };

  const colour = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const dark = () => document.body.classList.contains("dark");
  const applyTheme = () => {
    const wanted = query().__theme || read(THEME);
    if (wanted === "dark" || wanted === "light") document.body.classList.toggle("dark", wanted === "dark");
    document.documentElement.style.colorScheme = dark() ? "dark" : "light";
    window.dispatchEvent(new CustomEvent("studio:theme"));
  };
  const toggleTheme = () => {
    write(THEME, dark() ? "light" : "dark");
    setQuery({ __theme: null });
    applyTheme();
  };
  // Gradio sets the class itself when it mounts and when the system changes: keep our say.
  new MutationObserver(() => {
    const wanted = query().__theme || read(THEME);
    const expected = wanted === "dark" || wanted === "light" ? wanted === "dark" : dark();
    if (expected !== dark()) applyTheme();
    document.documentElement.style.colorScheme = dark() ? "dark" : "light";
  }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(applyTheme));
  applyTheme();

  // The chosen model is remembered for each kind of state, for one that reads texts reads no pictures.
  let kind = "";
  const checkpoint = () => (kind && read(`${CHECKPOINT}-${kind}`)) || read(CHECKPOINT) || "";
  const checkpoints = () => ({ text: read(`${CHECKPOINT}-text`) || "", image: read(`${CHECKPOINT}-image`) || "" });
  const chooseCheckpoint = (name, its = kind) => {
    const before = checkpoint();
    write(CHECKPOINT, name);
    if (its) write(`${CHECKPOINT}-${its}`, name);
    if (name !== before) window.dispatchEvent(new CustomEvent("studio:checkpoint", { detail: name }));
  };
  // A page says which kind of states it shows: "text" or "image".
  const chooseKind = (now) => {
    if (now === kind) return;
    kind = now;
    window.dispatchEvent(new Event("studio:models"));
  };

  // Whether a desktop notification is wanted when a run ends; asked for on the Train page, shown by the header.
  const notify = (now) => {
    if (now !== undefined) write("swirl-notify", now ? "yes" : "");
    return read("swirl-notify") === "yes";
  };

  // Outline, heat or nothing on the pictures of the panel in which `button` was pressed.
  const mark = (button) => {
    button.closest("[data-marks]").dataset.marks = button.dataset.mark;
    for (const other of button.parentElement.children) other.setAttribute("aria-pressed", other === button);
  };

  // The divider between two pictures follows its range input, wherever a page has one.
  document.addEventListener("input", (event) => {
    if (event.target.matches?.("[data-ab]")) event.target.parentElement.style.setProperty("--cut", `${event.target.value}%`);
  });

  // True while the keys belong to a field, so that a page's own keys stay out of the way.
  const typing = (event) => event.ctrlKey || event.metaKey || event.altKey
    || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;

  // One server call, whose failure is a sentence and never an exception. Gradio answers undefined when it reaches nobody.
  const LOST = { error: "The studio's server does not answer. Is it still running? Nothing here was lost." };
  const call = async (fn, values = {}) => {
    try { return (await fn({ checkpoint: checkpoint(), checkpoints: checkpoints(), kind, ...values })) ?? LOST; } catch { return LOST; }
  };

  // The list of endpoints is Gradio's; it opens by the button of its footer, which our pages hide.
  const openEndpoints = (tries = 100) => {
    const button = document.querySelector("footer .show-api");
    if (button) button.click();
    else if (tries) setTimeout(() => openEndpoints(tries - 1), 200);
  };
  if ("api" in query()) openEndpoints();

  const escape = (text) => { const div = document.createElement("div"); div.textContent = text; return div.innerHTML; };
  const error = (text) => `<p class="error" role="alert">${escape(text)}</p>`;

  return { fill, escape, error, query, setQuery, link, colour, dark, toggleTheme, checkpoint, chooseCheckpoint, chooseKind, notify, mark, typing, call };
})();
