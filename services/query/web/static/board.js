// Boards of people: the same page again, of which only the board is taken.

import { mark } from "./keys.js";
import { swap } from "./parts.js";
import { HELD, onMoved } from "./refresh.js";

const PAUSE_MS = 3000;
const FOLLOW_MS = [200, 400, 800, 1600, 3000, 6000]; // a command shows within about a second, later on a busy machine
const board = document.getElementById("board");
const asked = new Set(); // commands of one press that are stored and not shown yet

const formsOf = (action) => board.querySelectorAll(`form.one[data-action="${CSS.escape(action)}"]`);

// What was pressed stays pressed until the row has changed.
function holdButtons() {
  for (const action of asked) {
    for (const form of formsOf(action)) form.querySelector("button").disabled = true;
  }
}

async function refresh() {
  if (board.querySelector("form[data-dirty], form[aria-busy=true]")) return HELD;
  const answer = await fetch(location.href);
  if (!answer.ok || answer.redirected) return false; // the banner tells about sessions and servers
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page.getElementById("board");
  if (!found) return false;
  swap(board, found.innerHTML);
  holdButtons();
  mark();
  return true;
}

onMoved(refresh, PAUSE_MS);

document.addEventListener("done", async (event) => {
  const { action } = event.detail.form.dataset;
  asked.add(action);
  holdButtons();
  for (const ms of FOLLOW_MS) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    await refresh();
    if (event.detail.form.matches(".one") && !formsOf(action).length) break;
  }
  asked.delete(action);
});
