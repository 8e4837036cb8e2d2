// The files of what was dropped on the page, folders opened; each file of a folder brings its place in it along.
const isHidden = (entry) => entry.name.startsWith(".");

// The files of a folder or file entry of the browser, in their order; hidden ones stay where they are.
export const filesOf = async (entry) => {
  if (isHidden(entry)) return [];
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [Object.assign(file, { place: entry.fullPath.replace(/^\//, "") })];
  }
  const reader = entry.createReader(), files = [];
  // A reader hands out a folder in portions, an empty one at the end.
  for (let some; (some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))).length;) {
    for (const child of some) files.push(...await filesOf(child));
  }
  return files;
};

export const droppedFiles = async (data) => {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...data.files];
  const files = [];
  for (const entry of entries) files.push(...await filesOf(entry));
  return files;
};
