// The labels that the start form sends along and what it says of them: the two change together, so that they agree.
// `send` takes a file to the server and returns { path, note } or { error }; `show` draws the note, HTML, and the error.
import { escapeHtml } from "./shared/html.js";
import { lateAnswers } from "./shared/late_answers.js";

const NONE = { path: "", note: "The run uses no labels." };

export const labelsChoice = ({ send, show }) => {
  const choices = lateAnswers();
  let used = NONE, error = "", arriving = null;

  const use = (labels) => {
    choices.ask(); // a file that is still on its way comes too late
    [used, error, arriving] = [labels, "", null];
    show(used.note, error);
  };

  // A file that is refused leaves the labels before it in use; the error stays until something else is chosen. Returns
  // whether the file is used; a newer choice answers for those before it.
  const receive = async (file) => {
    const isLate = choices.ask();
    error = "";
    show(`Sending ${escapeHtml(file.name)} …`, error);
    const answer = await send(file);
    if (isLate()) return arriving ?? !error;
    arriving = null;
    if (answer.error) error = answer.error;
    else used = answer;
    show(used.note, error);
    return !error;
  };

  return {
    use,
    choose: (file) => (file ? (arriving = receive(file)) : use(NONE)),
    leaveOut: () => use(NONE),
    arrived: async () => (await arriving) ?? true, // waits for a file on its way; false where that one was refused
    path: () => used.path,
    error: () => error,
  };
};
