// the result's anchor knows the job that it stood for last, by the page it is on: a reload moves nothing
const known = new Map();
const SETTLED_MS = 3000; // after a job's end its buttons come in, and the page grows
const ENABLED_MS = 300; // until the box of a chat takes messages again
const PRESSED = '[data-testid="stButton"], [data-testid="stTextArea"], [data-testid="stChatInput"]';

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
// a button that was switched off while it had the focus leaves it to nobody
const free = () => !document.activeElement || document.activeElement === document.body;
const write = () => {
  if (free()) document.querySelector('[data-testid="stChatInputTextArea"]')?.focus({ preventScroll: true });
};

// a narrow page is brought to the result as far as there is anything below to scroll, and further while it grows, until
// the reader scrolls
let brought = "", goal = null;
const bring = () => goal?.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });
const growth = new ResizeObserver(bring);
const leave = () => { brought = ""; goal = null; growth.disconnect(); };
for (const moved of ["wheel", "touchmove", "keydown"]) {
  addEventListener(moved, leave, { capture: true, passive: true });
}

// a living job is heard of again and again; where nothing comes any more (a message was lost on the way, and with it the
// page's habit of looking), the page is drawn anew, less often each time
const LATE_MS = 10000, LOOK_MS = 1000; // above the slowest look, at the end of a long queue
let living = false, heard = 0, late = LATE_MS, ask = null, looking = 0;
const hear = (lives) => { living = lives; heard = performance.now(); };
const look = () => {
  looking = setTimeout(look, LOOK_MS);
  if (document.hidden) heard = performance.now(); // its timers sleep
  if (!living || !ask || performance.now() - heard < late) return;
  heard = performance.now();
  late *= 2;
  ask();
};
addEventListener("playground:late", () => ask?.()); // a part of the page that got no answer

export default function ({ data, parentElement, setStateValue }) {
  const said = parentElement.querySelector(".announced"), anchor = parentElement.querySelector(".anchor");
  if (data.place === "progress") {
    hear(true);
    late = LATE_MS;
    if (said.of === data.of && data.at < said.at) return; // a stage that counts anew
    said.of = data.of; said.at = data.at;
  }
  if (said.textContent !== data.said) said.textContent = data.said;
  anchor.hidden = !data.job;
  if (data.place === "progress") return;
  hear(Boolean(data.job) && !data.ended);
  ask = () => { if (anchor.isConnected) setStateValue("late", Date.now()); };
  if (!looking) look();
  const page = location.pathname + " " + data.place, before = known.get(page);
  known.set(page, { job: data.job, ended: data.ended });
  if (!before || !data.job) return;
  const begun = before.job !== data.job, ended = data.ended && (begun || !before.ended);
  const pressed = free() || document.activeElement.closest(PRESSED);
  if (begun) leave();
  if (begun && pressed && (innerWidth <= 640 || data.place === "chat")) { // an answer may begin far above what was open
    brought = data.job;
    const column = document.querySelector('[data-testid="stMainBlockContainer"]');
    if (column) growth.observe(column);
  }
  if (data.place === "chat" && data.ended) leave(); // a finished answer stands above
  if (brought === data.job) {
    goal = anchor;
    bring();
    if (ended) setTimeout(() => { if (brought === data.job) leave(); }, SETTLED_MS);
  }
  if (!ended || !(free() || document.activeElement.disabled)) return;
  if (data.place === "chat") setTimeout(write, ENABLED_MS);
  else anchor.focus({ preventScroll: true });
}
