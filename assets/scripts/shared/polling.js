// Asking the server again and again: only while the tab is seen, and no more once the element has left the page.
export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Resolves when the tab is seen; at once when it is.
export const untilVisible = () => (document.hidden ? new Promise((resolve) => {
  document.addEventListener("visibilitychange", resolve, { once: true });
}) : Promise.resolve());

// Calls `look` every so often. `alsoHidden` says whether it is called while the tab is hidden, too.
export const every = (element, pause, look, { alsoHidden = () => false } = {}) => {
  const timer = setInterval(() => {
    if (!element.isConnected) clearInterval(timer);
    else if (!document.hidden || alsoHidden()) look();
  }, pause);
};

// Calls `look` a pause after each answer, until it returns true.
export const follow = async (element, pause, look) => {
  for (;;) {
    await wait(pause);
    await untilVisible();
    if (!element.isConnected || await look()) return;
  }
};

// Calls `look` whenever the tab is seen again.
export const onReturn = (element, look) => document.addEventListener("visibilitychange", () => {
  if (!document.hidden && element.isConnected) look();
});

// One question at a time: `look` returns how long to wait until the next, 0 for none. The function that is returned asks
// at once; called while a question is on its way, it asks once more after that.
export const poller = (element, look, afterFailure = 5000) => {
  let timer = null, asking = false, again = false;
  const ask = async () => {
    if (asking) { again = true; return; }
    asking = true;
    clearTimeout(timer);
    let pause = afterFailure;
    try { pause = await look(); } finally { asking = false; }
    if (again) { again = false; return ask(); }
    if (pause && element.isConnected) timer = setTimeout(tick, pause);
  };
  const tick = () => (document.hidden ? (timer = setTimeout(tick, 1000)) : ask());
  return ask;
};
