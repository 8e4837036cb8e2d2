// The address of a page holds its state, so that a reload, a link or a bookmark shows the same.
export const readQuery = () => Object.fromEntries(new URLSearchParams(location.search));

// The query with these values; null, undefined and "" take a name out of it. Begins with "?" unless it is empty.
export const changedQuery = (search, values) => {
  const query = new URLSearchParams(search);
  for (const [name, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") query.delete(name); else query.set(name, value);
  }
  const text = query.toString();
  return text && "?" + text;
};

// Writes values into the address without a reload; with `push` the browser's Back leads to the one before.
export const setQuery = (values, { push = false } = {}) => {
  const address = location.pathname + changedQuery(location.search, values) + location.hash;
  history[push ? "pushState" : "replaceState"](history.state, "", address);
};

// An address on this server, which may be mounted below a path; null and undefined are left out of the query.
export const linkTo = (path, values = {}, base = document.baseURI) => {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined);
  const query = new URLSearchParams(given).toString();
  return new URL(path.replace(/^\//, "") || ".", base).pathname + (query && "?" + query);
};
