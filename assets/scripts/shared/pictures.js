// What can be done with the pictures of any page.

// Outline, heat or nothing on the pictures of the panel in which `button` was pressed.
export const showMarks = (button) => {
  button.closest("[data-marks]").dataset.marks = button.dataset.mark;
  for (const other of button.parentElement.children) other.setAttribute("aria-pressed", other === button);
};

// The divider between two pictures follows its range input.
export const followDividers = () => document.addEventListener("input", ({ target }) => {
  if (target.matches?.("[data-ab]")) target.parentElement.style.setProperty("--cut", `${target.value}%`);
});
