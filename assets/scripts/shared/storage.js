// What this browser remembers between visits. Some keep nothing (private windows, storage that is full or forbidden):
// then what is read is missing, and writing returns the failure instead of throwing it.
export const readText = (key) => { try { return localStorage.getItem(key); } catch { return null; } };

export const readJson = (key, otherwise = null) => {
  try { return JSON.parse(localStorage.getItem(key)) ?? otherwise; } catch { return otherwise; }
};

// An empty text removes what was kept. Returns null, or why it could not be kept.
export const writeText = (key, text) => {
  try {
    if (text) localStorage.setItem(key, text); else localStorage.removeItem(key);
    return null;
  } catch (failure) {
    console.info("This browser keeps no settings for this page.");
    return failure;
  }
};

export const writeJson = (key, value) => writeText(key, JSON.stringify(value));

// Keeps the newest of the values whose keys begin so, by their `saved`, and `here` whatever it is.
export const keepNewest = (prefix, count, here) => {
  let keys = [];
  try { keys = Object.keys(localStorage); } catch { return; }
  const saved = (key) => readJson(key, {}).saved || 0;
  const old = keys.filter((key) => key.startsWith(prefix) && key !== here).sort((a, b) => saved(b) - saved(a));
  for (const key of old.slice(count - 1)) writeText(key, "");
};
