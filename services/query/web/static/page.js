// What every page does.

import { startTicking } from "./clock.js";
import { startCommands } from "./commands.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";

startLive();
startTicking();
startKeys();
startCommands();

// On a phone the ways to the other pages are one line that moves: where one is stands in sight.
for (const here of document.querySelectorAll("nav [aria-current], #views [aria-current]")) {
  const line = here.closest("nav, #views");
  line.scrollLeft = here.offsetLeft - line.offsetLeft - (line.clientWidth - here.offsetWidth) / 2;
}
