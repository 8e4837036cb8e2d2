// What the pages have in common: the address, storage, late answers, polling, events, text.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { changedQuery, linkTo } from "../../assets/scripts/shared/address.js";
import { listen, send } from "../../assets/scripts/shared/events.js";
import { errorHtml, escapeHtml, fill, noteHtml } from "../../assets/scripts/shared/html.js";
import { lateAnswers } from "../../assets/scripts/shared/late_answers.js";
import { fileSize, grouped, threeDigits } from "../../assets/scripts/shared/numbers.js";
import { every, follow, poller, wait } from "../../assets/scripts/shared/polling.js";
import { callServer, callStreaming, newTicket, partsOrError, sendPassingFile } from "../../assets/scripts/shared/server.js";
import { keepNewest, readJson, readText, writeJson, writeText } from "../../assets/scripts/shared/storage.js";

class Storage {
  getItem(key) { return Object.hasOwn(this, key) ? this[key] : null; }
  setItem(key, value) { this[key] = String(value); }
  removeItem(key) { delete this[key]; }
}
const page = { isConnected: true };
const seen = (hidden) => { globalThis.document = Object.assign(new EventTarget(), { hidden }); };

afterEach(() => { for (const name of ["localStorage", "document", "window"]) delete globalThis[name]; });

test("values go into the query and empty ones out of it", () => {
  assert.equal(changedQuery("?a=1&b=2", { a: null, b: 3, c: "x y", d: "" }), "?b=3&c=x+y");
  assert.equal(changedQuery("?a=1", { a: undefined }), "");
});

test("links stay below the path where the app is mounted", () => {
  assert.equal(linkTo("/train", { run: "a b", with: null }, "http://host/space/"), "/space/train?run=a+b");
  assert.equal(linkTo("./", {}, "http://host/space/"), "/space/");
  assert.equal(linkTo("", { data: "x" }, "http://host/"), "/?data=x");
});

test("storage that is missing, full or holds nonsense breaks nothing", (t) => {
  t.mock.method(console, "info", () => {});
  assert.equal(readText("a"), null);
  assert.ok(writeText("a", "b") instanceof Error);
  globalThis.localStorage = new Storage();
  localStorage.setItem("nonsense", "{");
  assert.deepEqual([readJson("nonsense", 1), readJson("none", 2), readJson("none")], [1, 2, null]);
  assert.equal(writeJson("list", [1]), null);
  assert.deepEqual(readJson("list"), [1]);
  writeText("list", "");
  assert.equal(readText("list"), null);
});

test("of what is kept under a prefix the newest stay, and the present one", () => {
  globalThis.localStorage = new Storage();
  for (const [name, saved] of [["now", 0], ["old", 1], ["newer", 2], ["newest", 3]]) writeJson(`path:${name}`, { saved });
  localStorage.setItem("path:broken", "{");
  localStorage.setItem("other", "stays");
  keepNewest("path:", 3, "path:now");
  assert.deepEqual(Object.keys(localStorage), ["path:now", "path:newer", "path:newest", "other"]);
});

test("an answer is late once another question was asked", () => {
  const questions = lateAnswers(), first = questions.ask(), beside = questions.beside();
  assert.deepEqual([first(), beside()], [false, false]);
  const second = questions.ask();
  assert.deepEqual([first(), beside(), second()], [true, true, false]);
});

test("polling waits while the tab is hidden and ends with its element", async () => {
  seen(true);
  let always = 0, looks = 0;
  const element = { isConnected: true };
  every(element, 2, () => { looks += 1; });
  every(element, 2, () => { always += 1; }, { alsoHidden: () => true });
  await wait(20);
  assert.ok(looks === 0 && always > 0);
  document.hidden = false;
  await wait(20);
  assert.ok(looks > 0);
  element.isConnected = false;
  await wait(10);
  const last = [looks, always];
  await wait(20);
  assert.deepEqual([looks, always], last);
});

test("following asks until the end, and goes on when the tab is seen again", async () => {
  seen(true);
  let asked = 0;
  const over = follow(page, 1, async () => (asked += 1) === 3);
  await wait(20);
  assert.equal(asked, 0);
  document.hidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await over;
  assert.equal(asked, 3);
});

test("a poller asks one question at a time and forgets no wish", async () => {
  seen(false);
  let asked = 0, underway = 0, most = 0;
  const ask = poller(page, async () => {
    asked += 1;
    underway += 1;
    most = Math.max(most, underway);
    await wait(5);
    underway -= 1;
    return 0;
  });
  await Promise.all([ask(), ask(), ask()]);
  assert.deepEqual([asked, most], [2, 1]);
});

test("an event that was sent before its listener had loaded reaches it once", () => {
  globalThis.window = new EventTarget();
  const heard = [];
  send("studio:at", 1);
  send("studio:at", 2);
  listen("studio:at", (place) => heard.push(place));
  assert.deepEqual(heard, [2]);
  send("studio:at", 3);
  listen("studio:at", (place) => heard.push(-place));
  assert.deepEqual(heard, [2, 3]);
});

test("a server that fails answers with a sentence", async () => {
  globalThis.localStorage = new Storage();
  writeText("swirl-checkpoint", "tiny");
  assert.deepEqual(await callServer(async (values) => values, { step: 1 }), { checkpoint: "tiny", checkpoints: { text: "", image: "" }, kind: "", step: 1 });
  assert.match((await callServer(async () => undefined)).error, /does not answer/);
  assert.match((await callServer(async () => { throw new Error("gone"); })).error, /does not answer/);
  assert.deepEqual(partsOrError({ parts: { a: "b" } }, "a"), { a: "b" });
  assert.deepEqual(partsOrError({ error: "<no>" }, "a"), { a: errorHtml("<no>") });
  assert.notEqual(newTicket(), newTicket());
});

test("while a long answer is made, what is written so far is shown", async () => {
  globalThis.localStorage = new Storage();
  const shown = [], asked = [];
  const written = [[], ["you <are"], ["you <are"], ["you <are in", "you"]];
  const growing = async ({ stream }) => { asked.push(stream); return { texts: written.shift() ?? [] }; };
  const answer = await callStreaming({ growing }, async (values) => { await wait(1300); return values; }, { step: 1 }, (html) => shown.push(html));
  assert.equal(answer.step, 1);
  assert.ok(asked.length >= 4 && asked.every((stream) => stream === answer.stream));
  assert.equal(shown.length, 2, "shown when there is more, and only then");
  assert.match(shown[0], /you &lt;are</);
  assert.equal(shown[1].split("<li>").length, 3);
  await wait(300);
  assert.equal(shown.length, 2, "nothing after the answer");
});

test("a short answer is not preceded by its parts", async () => {
  globalThis.localStorage = new Storage();
  let asked = 0;
  const growing = async () => { asked += 1; return { texts: ["you"] }; };
  assert.equal((await callStreaming({ growing }, async (values) => values, { step: 2 }, assert.fail)).step, 2);
  await wait(600);
  assert.equal(asked, 0);
});

test("text in HTML stays text", () => {
  assert.equal(escapeHtml(`<a b="c">&'`), "&lt;a b=&#34;c&#34;&gt;&amp;&#39;");
  assert.equal(escapeHtml(undefined), "");
  assert.equal(noteHtml("a < b"), '<p class="note">a &lt; b</p>');
});

test("a part is written when it changes, and only then", () => {
  let writes = 0;
  const part = { dataset: {}, set innerHTML(_) { writes += 1; }, querySelectorAll: () => [] };
  const element = { querySelector: (selector) => (selector === '[data-part="name"]' ? part : null) };
  for (const html of ["a", "a", "b"]) fill(element, { name: html, nowhere: html });
  assert.equal(writes, 2);
});

test("numbers are written for readers", () => {
  assert.deepEqual([fileSize(10), fileSize(45_600), fileSize(12_300_000)], ["1 kB", "46 kB", "12 MB"]);
  assert.deepEqual([threeDigits(-0.12345), threeDigits(null), threeDigits(12.345)], ["−0.123", "no value", "12.3"]);
  assert.equal(grouped(1234567.4), "1\u202f234\u202f567");
});

test("a file that the server deletes is sent under a name of its own", async () => {
  const names = [], upload = async (file) => { names.push(file.name); return { path: `/${await file.text()}` }; };
  const file = new File(["labels"], "my labels.jsonl");
  assert.deepEqual(await sendPassingFile(upload, file), { path: "/labels" });
  await sendPassingFile(upload, file);
  assert.match(names[0], /^\w+\.jsonl$/);
  assert.notEqual(names[0], names[1]);
  await sendPassingFile(upload, new File(["x"], "none"));
  assert.match(names[2], /^\w+$/);
});
