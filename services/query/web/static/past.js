// Step through a ticket's past: the slider shows the page of its step. Without this script the links do the same.

const PAUSE_MS = 80; // while the slider is dragged, not every step is worth a question

let wanted = 0;

function start() {
  const slider = document.getElementById("p-slider");
  slider.hidden = false;
  slider.addEventListener("input", () => {
    const step = document.querySelector(`[data-step="${slider.value}"]`);
    const turn = ++wanted;
    slider.setAttribute("aria-valuetext", step.textContent.trim());
    setTimeout(() => turn === wanted && show(step.href, turn), PAUSE_MS);
  });
}

async function show(address, turn) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "same-origin" });
  } catch {
    return location.assign(address); // the browser says best that nobody answers
  }
  if (!answer.ok) return location.assign(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (turn !== wanted) return;
  const hadFocus = document.activeElement?.id === "p-slider";
  document.querySelector("[data-past]").replaceWith(page.querySelector("[data-past]"));
  history.replaceState(null, "", address);
  start();
  if (hadFocus) document.getElementById("p-slider").focus();
}

start();
