// Events with which the modules of a page speak to each other. They go over `window`; one that was sent before anybody
// listened, because the listener's module was still loading, reaches the first one who does.
const heard = new Set(), unheard = new Map();

export const send = (name, detail) => {
  if (!heard.has(name)) unheard.set(name, detail);
  window.dispatchEvent(new CustomEvent(name, { detail }));
};

export const listen = (name, look) => {
  window.addEventListener(name, (event) => look(event.detail));
  heard.add(name);
  if (!unheard.has(name)) return;
  const detail = unheard.get(name);
  unheard.delete(name);
  look(detail);
};
