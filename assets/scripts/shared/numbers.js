// Numbers as the pages write them.
export const fileSize = (bytes) => bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${Math.round(bytes / 1e6)} MB`;

// Three digits that matter, with a true minus sign.
export const threeDigits = (value) => (
  value === undefined || value === null || Number.isNaN(value) ? "no value" : (value < 0 ? "−" : "") + Math.abs(value).toPrecision(3));

// A whole number with narrow spaces between its thousands.
export const grouped = (value) => Math.round(value).toLocaleString("en").replaceAll(",", "\u202f");
