// The page of a new ticket: contacts by name, fields that depend on an answer, tickets that are nobody's.

const PAUSE_MS = 200;
const form = document.getElementById("composer");
const requester = document.getElementById("n-requester");
const people = document.getElementById("n-people");
const internal = document.getElementById("n-internal");
let timer = 0, asked = 0;

// A field behind an answer that was not given is not asked for: it says nothing and needs nothing.
function askWhatDepends() {
  for (const place of form.querySelectorAll("[data-if-field]")) {
    const control = form.elements[place.dataset.ifField];
    const given = control && !control.disabled ? [...(control.selectedOptions ?? [control])].map((each) => each.value) : [];
    const isAsked = JSON.parse(place.dataset.ifValues).some((value) => given.includes(String(value)));
    place.hidden = !isAsked;
    for (const each of place.querySelectorAll("input, select")) each.disabled = !isAsked;
  }
}

const addresses = ({ emails = [], phones = [], logins = [], messengers = [] }) => [...emails, ...phones, ...logins, ...messengers];

async function findPeople() {
  const words = requester.value.trim(), mine = ++asked;
  if (words.length < 2) return;
  const answer = await fetch(`/v1/contacts?limit=8&q=${encodeURIComponent(words)}`);
  if (!answer.ok || mine !== asked) return; // only a help: any address can be typed
  const { contacts } = await answer.json();
  people.replaceChildren(...contacts.flatMap(({ contact }) => addresses(contact).slice(0, 1).map((address) => new Option(contact.name ?? address, address))));
}

form.addEventListener("change", askWhatDepends);
document.addEventListener("htmx:afterSwap", askWhatDepends);
askWhatDepends();

requester?.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(findPeople, PAUSE_MS);
});
requester?.addEventListener("change", () => {
  const known = [...people.children].find((option) => option.value === requester.value);
  const name = document.getElementById("n-name");
  if (known && name.value === "") name.value = known.textContent;
});
internal?.addEventListener("change", () => { requester.required = !internal.checked; });
