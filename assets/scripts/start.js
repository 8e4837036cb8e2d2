// What every page needs before anything is drawn.
import { readQuery } from "./shared/address.js";
import { followDividers } from "./shared/pictures.js";
import { followTheme } from "./shared/theme.js";

// The list of endpoints is Gradio's; it opens by the button of its footer, which our pages hide.
const openEndpoints = (tries = 100) => {
  const button = document.querySelector("footer .show-api");
  if (button) button.click();
  else if (tries) setTimeout(() => openEndpoints(tries - 1), 200);
};

followTheme();
followDividers();
if ("api" in readQuery()) openEndpoints();
