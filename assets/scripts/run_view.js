// The run view: asks for news while it is visible, draws what is new, carries out the buttons.
import { chartTools } from "./charts/chart_tools.js";
import { LiveCharts } from "./charts/live_chart.js";
import { readQuery, setQuery } from "./shared/address.js";
import { listen, send } from "./shared/events.js";
import { fill } from "./shared/html.js";
import { onReturn, poller } from "./shared/polling.js";
import { callServer } from "./shared/server.js";

const PAUSES = { running: 1000, stopping: 1000, queued: 2000 }, PAUSE = 5000; // milliseconds between two questions

export const mount = ({ element, server, ...given }) => {
  const view = element.querySelector(".run-view"), log = view.querySelector("details.log");
  const charts = new LiveCharts(view, given.charts, given.plotly, {
    detail: async (from, to, runs) => (await callServer(server.detail, { from, to, runs })).curves,
    ranged: () => tools.range(),
  });
  const tools = chartTools(view, charts, server, () => refresh());
  let shown = null, after = {}, seen = {};

  const trouble = (sentence) => {
    const part = view.querySelector('[data-part="trouble"]');
    part.innerHTML = "";
    if (sentence) part.append(Object.assign(document.createElement("p"), { className: "error", textContent: sentence }));
    delete part.dataset.shown;
    delete seen.trouble;
  };

  // Shows the run (empty: the one that trains), or says that there is none to show.
  const open = async (run) => {
    shown = run || null;
    after = {}; seen = {};
    charts.clear();
    await refresh();
  };

  const fetchNews = async () => {
    const asked = shown, laid = tools.beside();
    // Not callServer: here silence is no error to be read once, but something to wait through.
    const news = await Promise.resolve(server.news({ run: shown, after: after[shown], with: Object.fromEntries(laid.map((id) => [id, after[id] ?? 0])), seen, log: log.open })).catch(() => undefined);
    if (asked !== shown) return 1;
    if (!news) { offline(true); return 2000; }
    offline(false);
    if (news.error) {
      view.hidden = false;
      view.querySelector(".run-grid").hidden = true;
      fill(view, { title: "<h2>This run cannot be shown</h2>", actions: '<a class="button" href="runs">All runs</a> <a class="button" href="train?new=1">New run</a>' });
      seen = {};
      trouble(news.error);
      return PAUSE;
    }
    if (news.run === null) { view.hidden = true; send("studio:form", readQuery()); return 0; }
    if (!shown) { shown = news.run; setQuery({ run: shown }); }
    view.hidden = false;
    view.querySelector(".run-grid").hidden = false;
    const pre = view.querySelector('[data-part="log"]'), atEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 20;
    fill(view, news.parts);
    if ("log" in news.parts && atEnd) pre.scrollTop = pre.scrollHeight;
    seen = news.seen;
    // The run itself comes first: the others are drawn over its phases.
    for (const id of [news.run, ...laid]) {
      const found = news.curves[id];
      if (!found) continue;
      const own = id === news.run, bands = news.data[own ? "bands" : `bands ${id}`], scores = news.data[own ? "scores" : `scores ${id}`];
      after[id] = charts.update(id, { ...found, bands, scores }) ? found.after : 0;
    }
    tools.settle(laid, Object.keys(news.curves), news.problems, (id) => { delete after[id]; delete seen[`bands ${id}`]; delete seen[`scores ${id}`]; });
    return PAUSES[news.status] ?? PAUSE;
  };

  const refresh = poller(element, fetchNews);

  // A server that is restarted loses nothing: the page waits for it and goes on.
  const offline = (lost) => {
    view.classList.toggle("offline", lost);
    const part = view.querySelector('[data-part="trouble"]');
    if (lost) {
      trouble("The studio's server does not answer. Training goes on without it; this page catches up when it is back.");
    } else if (part.dataset.shown === undefined && part.firstChild) {
      part.innerHTML = "";
    }
  };

  view.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    if (button.dataset.do === "log") {
      log.open = true;
      log.scrollIntoView({ block: "center" });
      return;
    }
    button.disabled = true;
    const answer = await callServer(server.act, { run: shown, do: button.dataset.do });
    if (button.dataset.do === "sample" || answer.error) button.disabled = false;
    await refresh();
    if (answer.error) trouble(answer.error);
  });
  log.addEventListener("toggle", () => { if (log.open) refresh(); });
  onReturn(element, () => { if (shown) refresh(); });
  window.addEventListener("popstate", () => location.reload());

  // The start form opens itself when the address says new; it hands over the run it has started.
  listen("studio:run", open);
  const query = readQuery();
  if (query.run || !("new" in query)) open(query.run);
};
