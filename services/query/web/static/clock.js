// Time in the browser: the server's clock, countdowns that tick, moments in the reader's own zone.

const DAY = 86400, HOUR = 3600, MINUTE = 60;
const SOON_SECONDS = 15 * MINUTE;
const pad = (number) => String(number).padStart(2, "0");

let offsetMs = 0; // a reader's clock may be minutes off; a deadline is the server's

export const serverNow = () => Date.now() + offsetMs;

export function learnNow(iso) {
  offsetMs = Date.parse(iso) - Date.now();
}

export function countdown(seconds) {
  const whole = Math.floor(Math.abs(seconds));
  let text;
  if (whole >= DAY) text = `${Math.floor(whole / DAY)} d ${Math.floor((whole % DAY) / HOUR)} h`;
  else if (whole >= HOUR) text = `${Math.floor(whole / HOUR)}:${pad(Math.floor((whole % HOUR) / MINUTE))}:${pad(whole % MINUTE)}`;
  else text = `${Math.floor(whole / MINUTE)}:${pad(whole % MINUTE)}`;
  return seconds < 0 ? `late ${text}` : text;
}

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const dayFormat = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
const yearFormat = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium", hour12: false });
const fullFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export const clock = (ms) => clockFormat.format(ms);

function ago(ms) {
  const seconds = Math.max(0, (serverNow() - ms) / 1000);
  if (seconds < MINUTE) return "just now";
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min ago`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h ago`;
  return date(ms);
}

function date(ms) {
  const isThisYear = new Date(ms).getFullYear() === new Date(serverNow()).getFullYear();
  return (isThisYear ? dayFormat : yearFormat).format(ms);
}

const exact = (ms) => exactFormat.format(ms);

const WORDS = { clock, ago, date, exact };

// A field of the kind datetime-local holds the reader's own time, without a zone.
export const localText = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);

function put(element, text) {
  if (element.textContent !== text) element.textContent = text; // an unchanged text must not disturb a selection
}

export function paintCountdowns(root = document) {
  const now = serverNow();
  for (const element of root.querySelectorAll("time[data-due]")) {
    const seconds = (Date.parse(element.dateTime) - now) / 1000;
    put(element, countdown(seconds));
    element.classList.toggle("late", seconds < 0);
    element.classList.toggle("soon", seconds >= 0 && seconds < SOON_SECONDS);
    if (!element.title) element.title = fullFormat.format(Date.parse(element.dateTime));
  }
}

export function paintMoments(root = document) {
  for (const element of root.querySelectorAll("time[data-time]")) {
    const ms = Date.parse(element.dateTime);
    put(element, WORDS[element.dataset.time](ms));
    if (!element.title) element.title = fullFormat.format(ms);
  }
}

function paintFields(root) {
  for (const field of root.querySelectorAll("input[data-at]")) if (!field.defaultValue) field.defaultValue = localText(Date.parse(field.dataset.at));
}

export function paint(root) {
  paintFields(root);
  paintCountdowns(root);
  paintMoments(root);
}

export function startTicking() {
  paint(document);
  const tick = () => {
    paintCountdowns();
    setTimeout(tick, 1000 - (serverNow() % 1000)); // on the second, so that all of them change together
  };
  tick();
  setInterval(paintMoments, 30_000);
}
