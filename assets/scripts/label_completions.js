// Words used before that fit what is typed, those that begin so first. With `all`, an empty field fits all.
export const completions = (used, text, { all = false, most = 6 } = {}) => {
  const typed = text.trim().toLowerCase();
  if (!typed && !all) return [];
  const at = (words) => words.toLowerCase().indexOf(typed);
  return [...used.filter((words) => at(words) === 0), ...used.filter((words) => at(words) > 0)]
    .filter((words) => words !== text.trim()).slice(0, most);
};

// The option that an arrow key leads to, from the one picked (-1: none), around the ends.
export const nextOption = (picked, by, count) => (picked + by + count + (picked < 0 && by < 0 ? 1 : 0)) % count;
