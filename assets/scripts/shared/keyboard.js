// True while the keys belong to a field, so that a page's own keys stay out of the way.
export const isTyping = (event) => event.ctrlKey || event.metaKey || event.altKey
  || /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
