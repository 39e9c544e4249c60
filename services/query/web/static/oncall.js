// How one is reached: asked when it is opened, shown as it is known, and empty again when it was forgotten.

const WAYS = ["email", "phone", "slack"];
const part = document.getElementById("reach");
const form = part.querySelector("form[data-reach]");

function show(known) {
  for (const way of WAYS) form.elements[way].value = known[way] ?? "";
}

part.addEventListener("toggle", async () => {
  const answer = await fetch(form.dataset.action);
  if (answer.ok) show(await answer.json());
}, { once: true });

part.addEventListener("done", (event) => {
  if (event.target.dataset.method === "DELETE") show({});
});
