// textContent only: what a model wrote is text, whatever it holds
function build(root) {
  const find = (name) => root.querySelector(name), strip = find(".strip"), off = find(".off");
  let data = null, chosen = -1, send = () => {}, clock = null;
  const cells = () => [...root.querySelectorAll("[role=option]")];

  function mark(at) {
    const all = cells();
    if (at < 0 || at >= all.length) return;
    all[chosen]?.setAttribute("aria-selected", "false");
    chosen = at;
    all[at].setAttribute("aria-selected", "true");
    strip.setAttribute("aria-activedescendant", all[at].id);
    find(".said").textContent = all[at].title;
  }
  function choose(at, wait) {
    mark(at);
    clearTimeout(clock);
    clock = setTimeout(() => send("pick", data.cells[chosen].place), wait);
  }
  root.addEventListener("click", (event) => {
    const at = cells().indexOf(event.target);
    if (at >= 0) choose(at, 0);
  });
  strip.addEventListener("keydown", (event) => {
    const last = cells().length - 1, step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const to = event.key === "Home" ? 0 : event.key === "End" ? last : step === undefined ? null
      : Math.max(0, Math.min(last, chosen + step));
    if (to === null) return;
    event.preventDefault();
    choose(to, 180);
  });
  function option(cell, at) {
    const span = document.createElement("span");
    span.id = "tip" + at; span.setAttribute("role", "option"); span.setAttribute("aria-selected", "false");
    span.className = (cell.same ? "same" : "") + (cell.made ? " made" : "");
    span.title = cell.range + ": " + cell.words + (cell.made ? " (this text)" : "");
    span.setAttribute("aria-label", span.title);
    span.style.setProperty("--h", cell.early);
    if (cell.place === -1) span.textContent = "off";
    else { span.style.left = 100 * cell.left + "%"; span.style.width = 100 * cell.width + "%"; }
    return span;
  }
  function draw(fresh) {
    const spans = fresh.cells.map(option), outside = fresh.cells[0].place === -1;
    off.replaceChildren(...(outside ? spans.slice(0, 1) : []));
    off.hidden = !outside;
    strip.replaceChildren(...(outside ? spans.slice(1) : spans));
    strip.setAttribute("aria-label", fresh.label + ": what becomes of the text; arrow keys choose a stretch");
    if (outside) strip.setAttribute("aria-owns", "tip0"); else strip.removeAttribute("aria-owns");
    find(".own").hidden = fresh.at === null;
    find(".own").style.left = 100 * (fresh.at ?? 0) + "%";
    find(".low").textContent = fresh.low; find(".high").textContent = fresh.high;
    find(".here").textContent = "▾ " + fresh.here;
    find("summary").textContent = "All " + fresh.cells.length + " stretches";
    find("ol").replaceChildren(...fresh.cells.map((cell, at) => {
      const item = document.createElement("li");
      item.textContent = spans[at].title; item.className = cell.made ? "made" : "";
      return item;
    }));
    chosen = -1;
  }
  return {
    update(fresh, setTriggerValue) {
      send = setTriggerValue;
      if (!data || data.of !== fresh.of) { draw(fresh); data = fresh; mark(fresh.chosen); return; }
      data = fresh;
      if (chosen !== fresh.chosen) mark(fresh.chosen);
    },
  };
}
export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".tip");
  root.tip ??= build(root);
  root.tip.update(data, setTriggerValue);
}
