// Usual ends of a snooze at one press; the server refuses what lies in the past.

import { localText } from "./clock.js";

const HOUR_MS = 3_600_000;
const OPENS_AT = 9;

function morning(daysAhead) {
  const day = new Date();
  day.setDate(day.getDate() + daysAhead);
  day.setHours(OPENS_AT, 0, 0, 0);
  return day;
}

const ENDS = {
  "1h": () => new Date(Date.now() + HOUR_MS),
  "4h": () => new Date(Date.now() + 4 * HOUR_MS),
  tomorrow: () => morning(1),
  monday: () => morning((8 - new Date().getDay()) % 7 || 7),
};

document.addEventListener("click", (event) => {
  const choice = event.target.closest("[data-snooze]");
  if (!choice) return;
  const form = choice.closest("form");
  form.querySelector("input[type=datetime-local]").value = localText(ENDS[choice.dataset.snooze]().getTime());
  form.requestSubmit();
});
