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

if (form) {
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
