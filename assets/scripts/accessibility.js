// What a title says is found by pointing with a mouse alone. Here the keyboard and a finger find it, too.
export const mount = ({ element, server }) => {
  const tip = Object.assign(document.createElement("div"), { className: "tip", hidden: true, ariaHidden: "true" });
  document.body.append(tip); // hidden from screen readers, which read the title itself
  let shown = null;

  const hide = () => { tip.hidden = true; shown = null; };
  const show = (target) => {
    shown = target;
    tip.textContent = target.title;
    tip.hidden = false;
    const box = target.getBoundingClientRect(), size = tip.getBoundingClientRect();
    const below = box.bottom + 6 + size.height < innerHeight;
    tip.style.left = `${Math.max(12, Math.min(box.left, innerWidth - size.width - 12))}px`;
    tip.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - size.height - 6)}px`;
  };

  // Terms of the field take the focus in their turn, as whatever else explains itself.
  const reachable = () => { for (const term of document.querySelectorAll("abbr[title]:not([tabindex])")) term.tabIndex = 0; };
  let soon = null;
  new MutationObserver(() => { soon ??= setTimeout(() => { soon = null; reachable(); }, 300); }).observe(document.body, { childList: true, subtree: true });
  reachable();

  document.addEventListener("focusin", (event) => {
    const target = event.target.closest?.("[title]");
    if (target?.title && target === event.target && target.matches(":focus-visible")) show(target); else hide();
  });
  document.addEventListener("focusout", hide);
  document.addEventListener("pointerup", (event) => {
    const target = event.target.closest?.("abbr[title]");
    if (target && event.pointerType !== "mouse") setTimeout(() => show(target)); else hide();
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("scroll", () => { if (shown) hide(); }, { capture: true, passive: true });

  // Past the header to what the page is about; the first thing that the keyboard reaches.
  const skip = element.querySelector("[data-skip]");
  document.body.prepend(skip);
  document.querySelector("main.contain").id = "content";
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    const parts = [...document.querySelectorAll("main .studio")];
    const content = parts.find((part) => part.checkVisibility() && !part.matches(".guide, .guide-foot, .demo-banner"));
    if (!content) return;
    content.tabIndex = -1;
    content.focus();
    content.scrollIntoView({ block: "nearest" });
  });
};
