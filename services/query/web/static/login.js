// A token becomes a session. It travels in a header, never in an address or a log.

const form = document.getElementById("login");
const field = document.getElementById("token");
const error = document.getElementById("token-error");

function refuse(text) {
  error.textContent = text;
  error.hidden = false;
  field.setAttribute("aria-invalid", "true");
  field.focus();
}

async function signIn() {
  const token = field.value.replace(/^\s*bearer\s+/i, "").replace(/\s+/g, "");
  if (!token) return refuse("Paste a token first.");
  if (!/^[\x21-\x7e]+$/.test(token)) return refuse("This is no token: it holds characters that no token has.");
  try {
    const answer = await fetch("/session", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
    if (answer.ok) return location.replace(form.dataset.after);
    const problem = await answer.json();
    refuse(problem.detail || problem.title);
  } catch {
    refuse("The server does not answer; try again.");
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  signIn();
});

// `/login#<token>`: what follows the sign is never sent to a server. It is taken out of the address and the history at once.
const given = decodeURIComponent(location.hash.slice(1)).replace(/^token=/, "");
if (given) {
  history.replaceState(null, "", location.pathname + location.search);
  field.value = given;
  // Whoever is signed in already decides by a press of the button; a link alone never changes who they are.
  if (!("present" in form.dataset)) signIn();
}
