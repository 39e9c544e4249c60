// Who else is at this ticket: our own signs of life, theirs in words, and the pen where one writes at a time.

const VIEWING_MS = 10_000;
const TYPING_MS = 3_000; // between signs while keys are pressed
const IDLE_MS = 8_000; // no key for that long: not typing any more

const names = (people) => (people.length < 2 ? people.join("") : `${people.slice(0, -1).join(", ")} and ${people.at(-1)}`);

function words(others) {
  const typing = others.filter((one) => one.state === "typing").map((one) => one.name);
  const viewing = others.filter((one) => one.state !== "typing").map((one) => one.name);
  const parts = [];
  if (typing.length) parts.push(`${names(typing)} ${typing.length > 1 ? "are" : "is"} typing`);
  if (viewing.length) parts.push(`${names(viewing)} ${viewing.length > 1 ? "are" : "is"} viewing`);
  return parts.join("; ");
}

export function startAttention({ id, me, composer, body }) {
  const line = document.getElementById("attention");
  const send = composer.querySelector("[data-send]");
  let state = "viewing", signedAt = 0, typedAt = 0, insists = false;

  async function sign(wanted, { keepalive = false } = {}) {
    state = wanted;
    signedAt = Date.now();
    try {
      const answer = await fetch(`/v1/tickets/${id}/attention`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ state: wanted, insists }),
        keepalive,
      });
      if (answer.ok && wanted !== "gone") show(await answer.json());
    } catch {
      // The stream or the next sign tells; the page itself says when nobody answers.
    }
  }

  function show(attention) {
    const others = attention.people.filter((one) => one.id !== me);
    const holder = attention.writer && attention.writer.id !== me ? attention.writer : null;
    const isNote = composer.classList.contains("note");
    const locked = holder !== null && !insists && !isNote;
    send.disabled = locked;
    const told = attention.is_live ? words(others) : attention.detail;
    const text = locked ? `${holder.name} is writing the answer; this group answers one at a time.` : told;
    if (line.dataset.text === text) return;
    line.dataset.text = text;
    line.textContent = text;
    line.hidden = text === "";
    if (locked) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Write all the same";
      button.addEventListener("click", () => {
        insists = true;
        sign("typing");
      });
      line.append(button);
    }
  }

  document.addEventListener("attention", (event) => show(event.detail));
  body.addEventListener("input", () => {
    typedAt = Date.now();
    if (state !== "typing" || Date.now() - signedAt > TYPING_MS) sign("typing");
  });
  composer.addEventListener("done", async () => {
    insists = false;
    await sign("gone"); // puts the pen down
    sign("viewing");
  });
  setInterval(() => {
    if (document.hidden) return;
    const isIdle = Date.now() - typedAt > IDLE_MS;
    if (state === "typing" && isIdle) sign("viewing");
    else if (Date.now() - signedAt > VIEWING_MS) sign(state === "gone" ? "viewing" : state);
  }, 1000);
  document.addEventListener("visibilitychange", () => sign(document.hidden ? "gone" : "viewing", { keepalive: true }));
  addEventListener("pagehide", () => sign("gone", { keepalive: true }));
  sign("viewing");
}
