// In which order the steps of a sequence are asked for: those around the one shown, then the rest a few at a time.
export const askingOrder = (missing, step, size) => {
  const near = missing.filter((index) => Math.abs(index - (step - 1)) <= 1);
  const rest = missing.filter((index) => !near.includes(index));
  const chunks = Array.from({ length: Math.ceil(rest.length / size) }, (_, i) => rest.slice(i * size, (i + 1) * size));
  return { near, chunks };
};
