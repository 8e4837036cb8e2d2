// Writing HTML into the parts of a page.
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
export const escapeHtml = (text) => String(text ?? "").replace(/[&<>"']/g, (sign) => ENTITIES[sign]);

export const errorHtml = (text) => `<p class="error" role="alert">${escapeHtml(text)}</p>`;
export const noteHtml = (text) => `<p class="note">${escapeHtml(text)}</p>`;

// A long state scrolls in its own box, and whoever has no mouse must be able to reach it.
const makeReachable = (part) => {
  for (const text of part.querySelectorAll("figure.state > .state-text")) {
    if (text.scrollHeight > text.clientHeight + 1) text.tabIndex = 0;
  }
};

// Writes each html into the child marked data-part; equal html is left alone, so that focus and selection stay.
export const fill = (element, parts) => {
  for (const [name, html] of Object.entries(parts)) {
    const part = element.querySelector(`[data-part="${name}"]`);
    if (!part || part.dataset.shown === html) continue;
    part.innerHTML = html;
    part.dataset.shown = html;
    makeReachable(part);
  }
};
