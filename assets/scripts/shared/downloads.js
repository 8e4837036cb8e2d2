// Files for the visitor to keep.
export const download = (address, name = "") => Object.assign(document.createElement("a"), { href: address, download: name }).click();

export const downloadBlob = (blob, name) => {
  const address = URL.createObjectURL(blob);
  download(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
};
