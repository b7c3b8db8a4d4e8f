// the result's anchor knows the job that it stood for last, by the page it is on: a reload moves nothing
const known = new Map();
const SETTLED_MS = 3000; // after a job's end its buttons come in, and the page grows
const SIGHT = 0.5; // of a wide page's height: what begins above that is in sight
const ENABLED_MS = 300; // until the box of a chat takes messages again
const PRESSED = '[data-testid="stButton"], [data-testid="stTextArea"], [data-testid="stChatInput"], [data-testid^="stMenuButton"]';

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
// a button that was switched off while it had the focus leaves it to nobody
const free = () => !document.activeElement || document.activeElement === document.body;
const write = () => {
  if (free()) document.querySelector('[data-testid="stChatInputTextArea"]')?.focus({ preventScroll: true });
};

// a narrow page is brought to the result as far as there is anything below to scroll, and further while it grows, until
// the reader scrolls
let brought = "", goal = null, held = null;
const bring = () => {
  if (held === null) goal?.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });
  else document.querySelector('[data-testid="stMain"]')?.scrollBy(0, goal.getBoundingClientRect().top - held);
};
const growth = new ResizeObserver(bring);
const leave = () => { brought = ""; goal = held = null; growth.disconnect(); };
const follow = (job) => {
  leave();
  brought = job;
  const column = document.querySelector('[data-testid="stMainBlockContainer"]');
  if (column) growth.observe(column);
};
for (const moved of ["wheel", "touchmove", "keydown", "pointerdown"]) {
  addEventListener(moved, leave, { capture: true, passive: true });
}
const settle = (job) => setTimeout(() => { if (brought === job) leave(); }, SETTLED_MS);
// a part that is mounted anew while its page grows again stays where it was seen, "top" px below the window's edge
addEventListener("playground:hold", ({ detail }) => {
  if (brought) return; // a goal is followed already
  follow("hold");
  ({ part: goal, top: held } = detail);
  bring();
  settle("hold");
});
const inSight = (one) => {
  const { top } = one.getBoundingClientRect();
  return top >= 0 && top < SIGHT * innerHeight;
};

// what was opened from a grid, often far below it
const openings = new Map(); // how many there were of each grid: a page that is drawn again opens nothing
const showOpened = (data, box) => {
  const head = box.querySelector("h2"), name = `cell of ${data.of}`, before = openings.get(data.of) ?? 0;
  box.hidden = false;
  head.textContent = head.title = data.name;
  box.querySelector("button").onclick = () => { leave(); dispatchEvent(new CustomEvent("playground:back", { detail: data.of })); };
  openings.set(data.of, data.count);
  if (data.count <= before) return;
  follow(name);
  goal = box;
  bring();
  head.focus({ preventScroll: true });
  settle(name);
};

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
  if (data.place === "opened") {
    anchor.hidden = true;
    showOpened(data, parentElement.querySelector(".opened"));
    return;
  }
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
  // an answer may begin far above what was open, a grid far below it; one in sight stays there while the page is drawn
  const narrow = innerWidth <= 640;
  if (begun && pressed && (narrow || data.place === "chat" || data.grid)) {
    follow(data.job);
    if (data.grid && !narrow && inSight(anchor)) held = anchor.getBoundingClientRect().top;
  }
  if (data.place === "chat" && data.ended) leave(); // a finished answer stands above
  if (brought === data.job) {
    goal = anchor;
    bring();
    if (ended) settle(data.job);
  }
  if (!ended || !(free() || document.activeElement.disabled)) return;
  if (data.place === "chat") setTimeout(write, ENABLED_MS);
  else anchor.focus({ preventScroll: true });
}
