// What stands above the charts: smoothing, the range of steps, and the runs that are laid over the shown one.
import { readQuery, setQuery } from "../shared/address.js";
import { errorHtml, fill } from "../shared/html.js";
import { grouped } from "../shared/numbers.js";
import { callServer } from "../shared/server.js";
import { readText, writeText } from "../shared/storage.js";

const KEY = "swirl-smoothing";

export const chartTools = (view, charts, server, refresh) => {
  const bar = view.querySelector(".chart-tools"), smoothing = bar.querySelector("[data-smoothing]"), field = bar.querySelector("[data-lay]");
  const listed = (readQuery().with ?? "").split(",").filter(Boolean);

  const remembered = readText(KEY);
  if ([...smoothing.options].some((option) => option.value === remembered)) smoothing.value = remembered;
  charts.memory = Number(smoothing.value);
  smoothing.addEventListener("change", () => {
    charts.memory = Number(smoothing.value);
    writeText(KEY, smoothing.value);
    charts.redraw(true);
    if (charts.zoom) charts.refine();
  });

  const range = () => {
    const [from, to] = charts.zoom ?? charts.range();
    bar.querySelector("[data-range]").textContent = `steps ${grouped(from)} to ${grouped(to)}`;
    for (const button of bar.querySelectorAll("[data-step]")) {
      button.disabled = !charts.zoom && button.dataset.step !== "in" || button.dataset.step === "in" && to - from <= 2;
    }
  };
  const STEPS = { in: () => charts.scale(0.5), out: () => charts.scale(2), back: () => charts.move(-0.5), on: () => charts.move(0.5), whole: () => charts.show(null) };

  const lay = (id) => {
    if (id && !listed.includes(id)) listed.push(id);
    fill(view, { "beside-problem": "" });
    setQuery({ with: listed.join(",") });
    refresh();
  };
  bar.addEventListener("click", (event) => {
    const step = event.target.closest("[data-step]"), away = event.target.closest("[data-away]");
    if (step) STEPS[step.dataset.step]();
    else if (away) {
      listed.splice(listed.indexOf(away.dataset.away), 1);
      field.focus();
      lay();
    }
  });
  field.addEventListener("focus", async () => {
    const answer = await callServer(server.others, { run: readQuery().run });
    if (answer.parts) fill(view, answer.parts);
  });
  field.addEventListener("change", () => { lay(field.value.trim()); field.value = ""; });

  return {
    range,
    beside: () => [...listed],
    // Of the runs `asked` for these were `found`; what could not be is not asked for again. `forget` drops what is known.
    settle: (asked, found, problems, forget) => {
      for (const id of [...charts.runs.keys()].slice(1)) if (!listed.includes(id) || !found.includes(id)) { charts.remove(id); forget(id); }
      const kept = listed.filter((id) => !asked.includes(id) || found.includes(id));
      if (kept.length < listed.length) {
        listed.splice(0, listed.length, ...kept);
        setQuery({ with: listed.join(",") });
      }
      if (problems.length) fill(view, { "beside-problem": problems.map(errorHtml).join("") });
      for (const chip of bar.querySelectorAll("[data-run]")) chip.setAttribute("aria-pressed", !charts.away.has(chip.dataset.run));
    },
  };
};
