// What the pages decide without a browser: the path of Play, the map's keys, completions, the order of questions.
import assert from "node:assert/strict";
import { test } from "node:test";

import { DIRECTIONS, nearestPlace } from "../../assets/scripts/action_map.js";
import { choiceProblem, twinSide } from "../../assets/scripts/compare_sides.js";
import { droppedFiles } from "../../assets/scripts/dropped_files.js";
import { grow, layOut, newTree, treePicture } from "../../assets/scripts/goal_tree.js";
import { askingOrder } from "../../assets/scripts/explore_order.js";
import { labelsChoice } from "../../assets/scripts/labels_choice.js";
import { completions, nextOption } from "../../assets/scripts/label_completions.js";
import * as playPath from "../../assets/scripts/play_path.js";

const { goTo, neighbour, newPath, redo, statesSoFar, take, takePlan, undo } = playPath;
const imagined = (path, action, ...states) => ({ ...path, action, futures: states.map((state) => ({ state })) });
const step = (path, action, state) => take(imagined(path, action, state), { state });

test("a path grows by the states that are taken, and nothing imagined stays", () => {
  const start = newPath("hall"), path = step(step(start, "go", "kitchen"), "open", "fridge open");
  assert.deepEqual(statesSoFar(path), ["hall", "kitchen", "fridge open"]);
  assert.deepEqual([path.action, path.futures, path.rivals, path.tries], ["", [], [], 0]);
  assert.equal(start.nodes.length, 1, "the path before is unchanged");
});

test("a state that was taken before is gone to and stands there once", () => {
  const there = step(newPath("hall"), "go", "kitchen"), again = step(goTo(there, 0), "go", "kitchen");
  assert.deepEqual([again.nodes.length, again.at], [2, 1]);
  assert.equal(step(goTo(there, 0), "go", "garden").nodes.length, 3);
});

test("undo and redo walk over the same steps", () => {
  assert.equal(undo(newPath("hall")), null);
  assert.equal(redo(newPath("hall")), null);
  const path = step(step(newPath("hall"), "go", "kitchen"), "open", "fridge open"), back = undo(undo(path));
  assert.deepEqual([back.nodes.length, back.at], [1, 0]);
  const again = redo(redo(back));
  assert.deepEqual([again.nodes, again.at], [path.nodes, path.at]);
  assert.equal(redo(step(back, "go", "garden")), null, "a new step ends what could be done again");
  const { redo: _, ...old } = step(newPath("hall"), "go", "kitchen"); // as browsers kept it before there was a redo
  assert.equal(redo(old), null);
  assert.equal(undo(old).redo.length, 1);
});

test("a plan is added to the state that it begins in, and to no other that has taken its place", () => {
  const path = step(newPath("hall"), "go", "kitchen"), steps = [{ action: "open", state: "fridge open" }, { action: "take", state: "egg held" }];
  const start = { at: 1, state: "kitchen" }, walked = takePlan(goTo(path, 0), steps, start);
  assert.deepEqual(statesSoFar(walked), ["hall", "kitchen", "fridge open", "egg held"]);
  const elsewhere = step(undo(path), "go", "garden");
  assert.equal(takePlan(elsewhere, steps, start), null);
  assert.equal(takePlan(undo(path), steps, start), null);
  const back = step(goTo(elsewhere, 0), "go", "kitchen");
  assert.deepEqual(statesSoFar(takePlan(back, steps, start)).slice(0, 3), ["hall", "kitchen", "fridge open"]);
});

test("arrow keys lead along the branches of the tree", () => {
  const hall = newPath("hall"), one = step(hall, "go", "kitchen"), two = step(goTo(one, 0), "go", "garden");
  assert.equal(neighbour(two, "ArrowLeft"), 0);
  assert.equal(neighbour(two, "ArrowUp"), 1);
  assert.equal(neighbour(two, "ArrowDown"), null);
  assert.equal(neighbour(two, "ArrowRight"), null);
  assert.equal(neighbour(goTo(two, 0), "ArrowRight"), 1);
  assert.equal(neighbour(hall, "ArrowLeft"), null);
  assert.equal(neighbour(hall, "ArrowDown"), null);
});

test("an arrow key goes to the nearest point of the map in its direction", () => {
  const places = [[0, 0], [10, 1], [3, 9], [4, 0], [-5, 0]];
  assert.equal(nearestPlace(places, places[0], DIRECTIONS.ArrowRight), 3);
  assert.equal(nearestPlace(places, places[0], DIRECTIONS.ArrowLeft), 4);
  assert.equal(nearestPlace(places, places[0], DIRECTIONS.ArrowDown), 2);
  assert.equal(nearestPlace(places, places[0], DIRECTIONS.ArrowUp), -1);
});

test("completions begin with what is typed, then hold it", () => {
  const used = ["open the fridge", "fridge, open it", "go", "Open", "open"];
  assert.deepEqual(completions(used, " open"), ["open the fridge", "Open", "fridge, open it"]);
  assert.deepEqual(completions(used, ""), []);
  assert.equal(completions(used, "", { all: true, most: 3 }).length, 3);
  assert.deepEqual([nextOption(-1, 1, 3), nextOption(-1, -1, 3), nextOption(2, 1, 3), nextOption(0, -1, 3)], [0, 2, 0, 2]);
});

test("the steps around the one shown are asked for first, the rest in chunks", () => {
  assert.deepEqual(askingOrder([0, 1, 2, 3, 4, 5], 3, 2), { near: [1, 2, 3], chunks: [[0, 4], [5]] });
  assert.deepEqual(askingOrder([], 1, 8), { near: [], chunks: [] });
});

const file = (path) => ({ name: path.split("/").at(-1), isFile: true, fullPath: path, file: (done) => done({ name: path }) });
const folder = (path, ...children) => ({
  name: path.split("/").at(-1), isDirectory: true,
  createReader: () => {
    const portions = [...children.map((child) => [child]), []];
    return { readEntries: (done) => done(portions.shift()) };
  },
});

test("dropped folders are opened, hidden files left where they are", async () => {
  const item = (entry) => ({ webkitGetAsEntry: () => entry });
  const tree = folder("/run", file("/run/1.png"), folder("/run/b", file("/run/b/2.png")), file("/run/.DS_Store"), folder("/run/.git", file("/run/.git/x")));
  const found = await droppedFiles({ items: [item(tree)], files: [] });
  assert.deepEqual(found.map(({ place }) => place), ["run/1.png", "run/b/2.png"]);
  assert.deepEqual(await droppedFiles({ items: [item(file("/a.png"))], files: ["as it is"] }), ["as it is"]);
});

test("a checkpoint is compared on one side only", () => {
  const values = { a: "x", b: "y", c: "", d: "x" };
  assert.deepEqual([twinSide(values, "d"), twinSide(values, "a"), twinSide(values, "b"), twinSide(values, "c")], ["a", "d", "", ""]);
  assert.equal(choiceProblem(values), "D is the same checkpoint as A. Choose a different one for D.");
  assert.equal(choiceProblem({ ...values, d: "" }), "");
  assert.equal(choiceProblem({ a: "x", b: "", c: "", d: "" }), "Choose a checkpoint for A and one for B.");
  assert.match(choiceProblem({ a: "x", b: "x", c: "", d: "" }), /^B is the same checkpoint as A/);
});

const searched = (...answers) => answers.reduce((tree, [nodes, path]) => grow(tree, { nodes, path }), newTree());

test("the tree of a search grows to the right by steps and upwards to the goal", () => {
  const tree = searched([[[0, null, 4]], [[0, ""]]], [[[1, 0, 2], [2, 0, 4], [3, 1, 0]], [[0, ""], [1, "take"], [3, "go"]]]);
  const { spots, width } = layOut(tree, 600);
  assert.ok(spots[0].x < spots[1].x && spots[1].x < spots[3].x && spots[3].x < width);
  assert.ok(spots[3].y < spots[1].y && spots[1].y < spots[0].y);
  assert.deepEqual(spots.map(({ near }) => near), [0, 0.5, 0, 1]);
  assert.equal(spots[2].y, spots[0].y, "as far from the goal as the start");
});

test("states of one place stand beside each other, and a moved state takes what follows from it along", () => {
  const many = searched([[[0, null, 1], ...Array.from({ length: 30 }, (_, n) => [n + 1, 0, 1])], [[0, ""]]]);
  const places = layOut(many, 600).spots.slice(1).map(({ x, y }) => `${x} ${y}`);
  assert.ok(new Set(places).size >= 4, "spread over the room");
  const before = searched([[[0, null, 3], [1, 0, 3], [2, 1, 3], [3, 2, 0]], [[0, ""]]]), after = grow(before, { nodes: [[2, 0, 3]], path: [[0, ""]] });
  const at = (tree, number) => layOut(tree, 900).spots[number].x - layOut(tree, 900).spots[number - 1].x;
  assert.ok(at(before, 3) > 0 && layOut(before, 900).spots[3].x > layOut(after, 900).spots[1].x);
  assert.equal(layOut(after, 900).spots[1].x, layOut(after, 900).spots[2].x - 9, "now side by side");
});

test("one state that is far off does not press all others together", () => {
  const tree = searched([[[0, null, 5], [1, 0, 500], [2, 0, 3]], [[0, ""]]]);
  assert.equal(tree.farthest, 8);
  const { spots, height } = layOut(tree, 600);
  assert.ok(spots[1].y < height && spots[0].y - spots[2].y > 20);
});

test("the picture of the tree is wider than a phone when it must be, and shows no words as markup", () => {
  const chain = searched([Array.from({ length: 7 }, (_, n) => [n, n ? n - 1 : null, 6 - n]), Array.from({ length: 7 }, (_, n) => [n, n ? "<b>go</b>" : ""])].slice(0, 2));
  const html = treePicture(chain, 300, "7 states & more");
  assert.ok(Number(/width="(\d+)"/.exec(html)[1]) > 300);
  assert.ok(html.includes("&lt;b&gt;go") && !html.includes("<b>") && html.includes("7 states &amp; more"));
  assert.equal(html.match(/class="best" d=/g).length, 6);
});

// A choice of labels whose answers come when the test says so, and what it has shown last.
const choosing = () => {
  const answers = {}, shown = [];
  const send = ({ name }) => new Promise((resolve) => { answers[name] = resolve; });
  const labels = labelsChoice({ send, show: (...now) => shown.splice(0, 2, ...now) });
  return { labels, answers, shown };
};

test("what is said of the labels and what is sent agree, and the error of a refused file stays", async () => {
  const { labels, answers, shown } = choosing(), good = labels.choose({ name: "good" });
  assert.deepEqual(shown, ["Sending good …", ""]);
  answers.good({ path: "kept", note: "The run learns from good." });
  assert.equal(await good, true);
  const bad = labels.choose({ name: "bad" });
  answers.bad({ error: "bad holds none." });
  assert.equal(await bad, false);
  assert.deepEqual([labels.path(), labels.error(), shown], ["kept", "bad holds none.", ["The run learns from good.", "bad holds none."]]);
  assert.equal(await labels.arrived(), true, "nothing is on its way any more");
  labels.leaveOut();
  assert.deepEqual([labels.path(), labels.error(), shown], ["", "", ["The run uses no labels.", ""]]);
});

test("Start waits for the labels that are on their way, and for those chosen in their place", async () => {
  const { labels, answers } = choosing();
  labels.choose({ name: "first" });
  const waiting = labels.arrived();
  labels.choose({ name: "second" });
  answers.second({ path: "second", note: "" });
  answers.first({ path: "first", note: "" });
  assert.deepEqual([await waiting, labels.path()], [true, "second"]);
  labels.choose({ name: "bad" });
  const again = labels.arrived();
  answers.bad({ error: "bad holds none." });
  assert.deepEqual([await again, labels.path()], [false, "second"]);
});

test("labels that were left out do not come back when their file arrives", async () => {
  const { labels, answers } = choosing(), late = labels.choose({ name: "late" });
  labels.leaveOut();
  answers.late({ path: "late", note: "" });
  await late;
  assert.equal(labels.path(), "");
});
