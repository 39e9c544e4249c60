// Quoting a message in the answer: the answer names it, and what is selected of it stands among the words.

const composer = document.getElementById("composer");
const line = document.getElementById("quoting");
const field = line.querySelector("input");
const box = composer.querySelector("textarea");

function leave() {
  field.value = "";
  line.hidden = true;
}

function selectedIn(message) {
  const selection = getSelection();
  return message.contains(selection.anchorNode) && message.contains(selection.focusNode) ? selection.toString().trim() : "";
}

function quote({ id, author, words }) {
  field.value = id;
  line.querySelector("span").textContent = `Answers what ${author} wrote.`;
  line.hidden = false;
  if (words) {
    const quoted = words.split("\n").map((each) => `> ${each}`).join("\n");
    box.setRangeText(`${box.value && !box.value.endsWith("\n") ? "\n" : ""}${quoted}\n\n`, box.selectionStart, box.selectionEnd, "end");
    box.dispatchEvent(new Event("input", { bubbles: true }));
  }
  box.focus();
}

document.addEventListener("mousedown", (event) => {
  if (event.target.closest("[data-quote]")) event.preventDefault(); // the selection stays until it is read
});
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-quote]");
  if (!button) return;
  const message = button.closest("article").querySelector(".body");
  quote({ id: button.dataset.quote, author: button.dataset.author, words: selectedIn(message) });
});
line.querySelector("button").addEventListener("click", () => {
  leave();
  box.focus();
});
composer.addEventListener("done", leave);
