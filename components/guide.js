// the result's anchor knows the job that it stood for last, by the page it is on: a reload moves nothing
const known = new Map();
// the job that a narrow page was brought to: until the reader scrolls, its end brings the page there again, for only
// then is there enough below to scroll
let brought = "";
for (const moved of ["wheel", "touchmove", "keydown"]) {
  addEventListener(moved, () => { brought = ""; }, { capture: true, passive: true });
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
// a button that was switched off while it had the focus leaves it to nobody
const free = () => !document.activeElement || document.activeElement === document.body;

export default function ({ data, parentElement }) {
  const said = parentElement.querySelector(".said"), anchor = parentElement.querySelector(".anchor");
  if (said.textContent !== data.said) said.textContent = data.said;
  anchor.hidden = !data.job;
  if (data.place !== "result") return;
  const page = location.pathname, before = known.get(page);
  known.set(page, { job: data.job, ended: data.ended });
  if (!before || !data.job) return;
  const begun = before.job !== data.job, ended = data.ended && (begun || !before.ended);
  const pressed = free() || document.activeElement.closest('[data-testid="stButton"], [data-testid="stTextArea"]');
  if (begun) brought = pressed && innerWidth <= 640 ? data.job : "";
  if (brought === data.job && (begun || ended)) {
    anchor.scrollIntoView({ block: "start", behavior: still() ? "auto" : "smooth" });
  }
  if (ended && (free() || document.activeElement.disabled)) anchor.focus({ preventScroll: true });
}
