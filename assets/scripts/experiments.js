// Experiments: the list, and one experiment's grid, of which only what has changed is fetched and drawn anew.
import { readQuery, setQuery } from "./shared/address.js";
import { download } from "./shared/downloads.js";
import { errorHtml, fill } from "./shared/html.js";
import { onReturn, poller } from "./shared/polling.js";
import { callServer } from "./shared/server.js";

const AFTER_FAILURE = 5000; // milliseconds

export const mount = ({ element, server }) => {
  const page = element.querySelector(".experiments-page"), dialog = page.querySelector("dialog");
  let wanted = {}, seen = {};

  const tell = (sentence) => fill(page, { problem: sentence ? errorHtml(sentence) : "" });
  const view = (name) => { for (const part of page.querySelectorAll("[data-view]")) part.hidden = part.dataset.view !== name; };

  // The experiment, the metric, the checkpoint and the methods live in the address, so that a link or a reload shows the same.
  const read = () => {
    const { name = "", metric = "", last = "", methods = "" } = readQuery();
    if (name !== wanted.name) { seen = {}; tell(""); }
    wanted = { name, metric, last, methods };
  };
  const write = (values, options) => {
    setQuery(values, options);
    read();
    return ask();
  };

  // What is drawn anew loses the focus: it goes back to the same link, button or list.
  const draw = (parts) => {
    const { activeElement } = document, within = page.contains(activeElement) ? activeElement : null;
    const key = within && ["href", "data-do", "data-last", "data-methods", "name"].find((name) => within.hasAttribute(name));
    fill(page, parts);
    if (within && !within.isConnected && key) page.querySelector(`[${key}="${CSS.escape(within.getAttribute(key))}"]`)?.focus();
  };

  // Returns how long to wait until the next question.
  const look = async () => {
    const asked = wanted;
    const answer = await callServer(asked.name ? server.look : server.overview, { ...asked, seen });
    if (asked !== wanted) return 1;
    if (answer.error) { tell(answer.error); return AFTER_FAILURE; }
    view(asked.name ? "experiment" : "overview");
    draw(answer.parts);
    seen = answer.seen ?? {};
    return answer.pause;
  };
  const ask = poller(element, look, AFTER_FAILURE);

  // Presses a button once; its error stays until the next press.
  const press = async (button, work) => {
    button.disabled = true;
    tell("");
    const answer = await work();
    button.disabled = false;
    if (answer.error) tell(answer.error);
    return answer;
  };
  const start = async (button, name) => {
    const answer = await press(button, () => callServer(server.start, { name }));
    if (!answer.error) write({ name }, { push: !wanted.name });
  };
  const showPublished = async (button) => {
    const answer = await press(button, () => callServer(server.published, { name: wanted.name }));
    if (!answer.error) ask();
  };
  const fetchReport = async (button) => {
    const label = button.textContent;
    button.textContent = "Writing the report";
    const answer = await press(button, () => callServer(server.report, { name: wanted.name }));
    button.textContent = label;
    if (!answer.error) download(answer.address);
  };

  page.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-open]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      write({ name: link.dataset.open, metric: "", last: "", methods: "" }, { push: true });
      window.scrollTo(0, 0);
      return;
    }
    const jump = event.target.closest("[data-jump]");
    if (jump) {
      event.preventDefault();
      const head = page.querySelector(`#${jump.dataset.jump}`);
      head.focus({ preventScroll: true });
      head.closest("section").scrollIntoView({ block: "start" });
      return;
    }
    const button = event.target.closest("button");
    if (!button || button.disabled) return;
    const { dataset } = button;
    if ("close" in dataset) dialog.close();
    else if ("start" in dataset) start(button, dataset.start);
    else if (dataset.do === "start") start(button, wanted.name);
    else if (dataset.do === "stop") dialog.showModal();
    else if (dataset.do === "report") fetchReport(button);
    else if (dataset.do === "published") showPublished(button);
    else if ("last" in dataset) write({ last: dataset.last });
    else if ("methods" in dataset) write({ methods: dataset.methods });
  });
  page.addEventListener("change", ({ target }) => { if (target.name === "metric") write({ metric: target.value }); });
  dialog.addEventListener("submit", async (event) => {
    event.preventDefault();
    const answer = await press(dialog.querySelector("[type=submit]"), () => callServer(server.stop, { name: wanted.name }));
    dialog.close();
    if (!answer.error) ask();
  });
  window.addEventListener("popstate", () => { if (element.isConnected) { read(); ask(); } });
  onReturn(element, ask);
  read();
  ask();
};
