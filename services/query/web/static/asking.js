// What scripts that ask the API share: a key for each command, and elements whose text is never markup.

export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing on plain http
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text; // never as HTML: people typed it
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
