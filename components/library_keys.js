// the rows' own buttons are pressed: what a key does, a press does as well
const STEPS = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };
const PRESSES = { s: "star", x: "mark" };

// a button with a hint is there twice, once for screens without a mouse
const pressed = (node) => [...node.querySelectorAll("button")].find((one) => one.getClientRects().length > 0);
const rows = (page) => [...page.querySelectorAll('[class*="st-key-found-open-"]')]
  .map((node) => ({ id: node.className.match(/st-key-found-open-([\w-]+)/)?.[1], button: pressed(node) }))
  .filter((row) => row.id && row.button);

const typing = (node) => node?.closest?.('input, textarea, select, [contenteditable="true"], [role="listbox"], [role="slider"]');

const onKey = (event) => {
  const page = document;
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || typing(event.target)) return;
  const found = rows(page);
  if (!found.length || !(event.key in STEPS || event.key in PRESSES)) return;
  const at = found.findIndex((row) => row.id === window.__playgroundRow); // -1: before the first
  if (event.key in STEPS) {
    const next = found[Math.min(found.length - 1, Math.max(0, at + STEPS[event.key]))];
    window.__playgroundRow = next.id;
    next.button.focus();
    next.button.scrollIntoView({ block: "nearest" });
  } else if (at >= 0) {
    const part = page.querySelector(`.st-key-found-${PRESSES[event.key]}-${found[at].id}`);
    if (part) pressed(part)?.click();
  } else return;
  event.preventDefault();
};

export default function ({ parentElement }) {
  // it outlives what mounts it, as that of components/keyboard.js does: without a list it finds no rows. A clean-up would
  // take away what the next mount has just added
  const page = parentElement.ownerDocument;
  page.removeEventListener("keydown", window.__playgroundRows);
  window.__playgroundRows = onKey;
  page.addEventListener("keydown", onKey);
}
