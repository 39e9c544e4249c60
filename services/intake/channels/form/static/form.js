// What the form can do better with scripts; all but the proof of work is done without them too.
const form = document.querySelector("form");

// Inside of another page: tell it how tall we are, so that nothing scrolls twice.
if (window.parent !== window) {
  const tell = () => window.parent.postMessage({ ticketingFormHeight: document.documentElement.scrollHeight }, "*");
  new ResizeObserver(tell).observe(document.body);
  // Which customer it is, as the page around us has it signed; what is forged is refused by the server.
  window.addEventListener("message", (event) => {
    if (event.source === window.parent && form && typeof event.data?.ticketingIdentity === "string") {
      form.elements.identity.value = event.data.ticketingIdentity;
    }
  });
}

function said(name) {
  const inputs = [...form.elements].filter((one) => one.name === name && !one.closest("[hidden]"));
  const given = inputs.filter((one) => one.type !== "checkbox" || one.checked).map((one) => one.value);
  return given.length ? given : [""];
}

function show() {
  for (const field of form.querySelectorAll("[data-if]")) {
    const wanted = JSON.parse(field.dataset.values);
    field.hidden = !said(field.dataset.if).some((one) => wanted.includes(one));
    for (const hint of field.querySelectorAll(".only-if")) hint.hidden = true;
  }
}

// The machine works a while for its sender: dear for a million messages, not for one.
async function work(stamp, bits) {
  const encoder = new TextEncoder();
  for (let answer = 0; ; answer += 1) {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(`${stamp}:${answer}`)));
    const first = (digest[0] * 2 ** 24 + digest[1] * 2 ** 16 + digest[2] * 2 ** 8 + digest[3]) / 2 ** (32 - bits);
    if (first < 1) return String(answer);
  }
}

// While the subject is typed: articles that may answer it already. Without an answer the form is as it was.
const ASK_AFTER_MS = 400, WAIT_MS = 5_000, WORDS_CHARS_MIN = 4, WORDS_CHARS_MAX = 300;
let asking = 0, timer = 0;

async function suggest(words) {
  const mine = ++asking, place = document.getElementById("articles");
  let found = [];
  try {
    const query = encodeURIComponent(words.slice(0, WORDS_CHARS_MAX));
    const answer = words.length < WORDS_CHARS_MIN ? null
      : await fetch(`/help/-/suggest?q=${query}`, { signal: AbortSignal.timeout(WAIT_MS) });
    if (answer?.ok) found = (await answer.json()).articles;
  } catch { /* nobody is kept from writing because nothing can be suggested */ }
  if (mine !== asking) return;
  place.querySelector("ul").replaceChildren(...found.map((one) => {
    const item = document.createElement("li"), link = document.createElement("a");
    Object.assign(link, { href: one.url, textContent: one.title, lang: one.language, target: "_blank", rel: "noopener" });
    item.append(link);
    return item;
  }));
  place.hidden = found.length === 0;
}

if (form) {
  form.elements.subject.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(suggest, ASK_AFTER_MS, event.target.value.trim());
  });
  form.addEventListener("input", show);
  show();
  document.querySelector(".errors")?.focus();
  const bits = Number(form.dataset.bits);
  const worked = bits ? work(form.elements.stamp.value, bits) : null;
  form.addEventListener("submit", async (event) => {
    const button = form.querySelector("button");
    if (button.disabled) { event.preventDefault(); return; }
    button.disabled = true;
    if (worked) {
      event.preventDefault();
      form.elements.work.value = await worked;
      form.submit();
    }
  });
  window.addEventListener("pageshow", () => { form.querySelector("button").disabled = false; });
}
