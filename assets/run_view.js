// The run view: asks for news while it is visible, draws what is new, carries out the buttons.
const view = element.querySelector(".run-view"), log = view.querySelector("details.log");
const charts = new LiveCharts(view, CHARTS, {
  detail: async (from, to, runs) => (await studio.call(server.detail, { from, to, runs })).curves,
  ranged: () => tools.range(),
});
const tools = chartTools(view, charts, () => refresh());
const PAUSE = { running: 1000, stopping: 1000, queued: 2000 };
let shown = null, after = {}, seen = {}, timer = null, asking = false, again = false;

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

const refresh = async () => {
  if (asking) { again = true; return; }
  asking = true;
  clearTimeout(timer);
  let pause = 5000;
  try { pause = await fetchNews(); } finally { asking = false; }
  if (again) { again = false; return refresh(); }
  if (pause && element.isConnected) timer = setTimeout(tick, pause);
};
const tick = () => (document.hidden ? (timer = setTimeout(tick, 1000)) : refresh());

const ask = (query) => window.dispatchEvent(new CustomEvent("studio:form", { detail: query }));

const fetchNews = async () => {
  const asked = shown, laid = tools.beside();
  // Not studio.call: here silence is no error to be read once, but something to wait through.
  const news = await Promise.resolve(server.news({ run: shown, after: after[shown], with: Object.fromEntries(laid.map((id) => [id, after[id] ?? 0])), seen, log: log.open })).catch(() => undefined);
  if (asked !== shown) return 1;
  if (!news) { offline(true); return 2000; }
  offline(false);
  if (news.error) {
    view.hidden = false;
    view.querySelector(".run-grid").hidden = true;
    studio.fill(view, { title: "<h2>This run cannot be shown</h2>", actions: '<a class="button" href="runs">All runs</a> <a class="button" href="train?new=1">New run</a>' });
    seen = {};
    trouble(news.error);
    return 5000;
  }
  if (news.run === null) { view.hidden = true; ask(studio.query()); return 0; }
  if (!shown) { shown = news.run; studio.setQuery({ run: shown }); }
  view.hidden = false;
  view.querySelector(".run-grid").hidden = false;
  const pre = view.querySelector('[data-part="log"]'), atEnd = pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 20;
  studio.fill(view, news.parts);
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
  return PAUSE[news.status] ?? 5000;
};

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
  const answer = await studio.call(server.act, { run: shown, do: button.dataset.do });
  if (button.dataset.do === "sample" || answer.error) button.disabled = false;
  await refresh();
  if (answer.error) trouble(answer.error);
});
log.addEventListener("toggle", () => { if (log.open) refresh(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden && shown) refresh(); });
window.addEventListener("popstate", () => location.reload());

// The start form opens itself when the address says new; it hands over the run it has started.
window.addEventListener("studio:run", (event) => open(event.detail));
const query = studio.query();
if (query.run || !("new" in query)) open(query.run);
