// Boards of people: the same page again, of which only the board is taken.

import { mark } from "./keys.js";
import { swap } from "./parts.js";
import { onMoved } from "./refresh.js";

const PAUSE_MS = 3000;
const board = document.getElementById("board");

const again = onMoved(async () => {
  if (board.querySelector("form[data-dirty], form[aria-busy=true]")) return;
  const answer = await fetch(location.href);
  if (!answer.ok || answer.redirected) return; // the banner tells about sessions and servers
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.getElementById("board");
  if (found) { swap(board, found.innerHTML); mark(); }
}, PAUSE_MS);

// What was asked goes through Kafka before it shows here: look at once, and when it has surely come.
document.addEventListener("done", () => { again(); setTimeout(again, PAUSE_MS); setTimeout(again, 3 * PAUSE_MS); });
