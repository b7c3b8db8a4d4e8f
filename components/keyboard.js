// Streamlit draws what a popover holds at the end of the page, far from its button: Tab would pass it by
const FOCUSABLE = "a[href], button, input, textarea, select, summary, audio[controls], video[controls], [tabindex]";

const shown = (node) => node.getClientRects().length > 0;
const reached = (node) => node.matches(FOCUSABLE) && node.tabIndex >= 0 && !node.disabled && shown(node);

// what Tab reaches below a node, in order, also inside components, which have a shadow tree of their own
const within = (root) => [...root.querySelectorAll("*")].flatMap(
  (node) => [...(reached(node) ? [node] : []), ...(node.shadowRoot ? within(node.shadowRoot) : [])]);

const focused = () => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  return node;
};

const opened = () => document.querySelector('[data-testid="stPopoverButton"][aria-expanded="true"]');
const content = () => [...document.querySelectorAll('[data-testid="stPopoverBody"]')].findLast(shown);

// where Tab goes from here, or nothing where the browser's own order is right
const next = (back) => {
  const trigger = opened(), body = content(), here = focused();
  if (!trigger || !body) return null;
  body.tabIndex = -1;
  const held = within(body), inside = held.length ? held : [body]; // where it holds text alone, the text is read
  if (here === trigger) return back ? null : inside[0];
  if (here === body && held.length && !back) return held[0]; // it was read before what it holds was drawn
  if (back && (here === inside[0] || here === body)) return trigger;
  if (back || here !== inside.at(-1)) return null;
  const outside = within(document.body).filter((node) => !inside.includes(node));
  return outside[outside.indexOf(trigger) + 1] ?? trigger;
};

const onKey = (event) => {
  if (event.key !== "Tab" || event.altKey || event.ctrlKey || event.metaKey) return;
  const place = next(event.shiftKey);
  if (!place) return;
  event.preventDefault();
  place.focus();
};

// Ctrl+Enter in the box of a sweep runs the sweep: it is the shortcut of Run, wherever it is pressed
const onRun = (event) => {
  const box = event.target.closest?.('[class*="-sweep-box"]');
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !box || !event.target.matches("input, textarea")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  event.target.blur(); // what was written is taken first
  setTimeout(() => box.querySelector('[class*="-sweep-run"] button:not(:disabled)')?.click());
};

export default function ({ parentElement }) {
  const page = parentElement.ownerDocument; // it outlives this component, which is mounted on every page
  page.removeEventListener("keydown", window.__playgroundTab);
  window.__playgroundTab = onKey;
  page.addEventListener("keydown", onKey);
  // at the window, which hears a key before the page: Streamlit listens for its shortcuts there, from time to time anew
  window.removeEventListener("keydown", window.__playgroundSweep, true);
  window.__playgroundSweep = onRun;
  window.addEventListener("keydown", onRun, true);
}
