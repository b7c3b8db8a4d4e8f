const MEL = (hertz) => 2595 * Math.log10(1 + hertz / 700);
const HERTZ = (mel) => 700 * (10 ** (mel / 2595) - 1);
const STEPS = [.01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 20, 30, 60, 120, 300];

function build(root) {
  const find = (name) => root.querySelector(name);
  const stage = find(".stage"), canvas = find("canvas"), head = find(".head"), said = find("output");
  const picture = new Image();
  let data = null, from = 0, to = 1, grip = null, alive = true;

  // the player that belongs to this picture is the nearest one before it on the page
  function player() {
    const own = root.getRootNode().host || root;
    const before = [...document.querySelectorAll("audio")].filter(
      (one) => own.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING);
    const last = before[before.length - 1];
    return last && Math.abs(last.duration - data.seconds) < Math.max(.2, data.seconds * .02) ? last : null;
  }
  function follow() {
    if (!alive) return;
    const found = data && data.follows ? player() : null;
    const at = found ? found.currentTime / data.seconds : -1;
    head.hidden = !found || (found.paused && !found.currentTime) || at < from || at > to;
    if (!head.hidden) head.style.left = 100 * (at - from) / (to - from) + "%";
    requestAnimationFrame(follow);
  }
  function least() { return Math.min(1, Math.max(12 / (picture.naturalWidth || 1), .02 / data.seconds)); }
  function look(start, span) {
    span = Math.min(1, Math.max(least(), span));
    from = Math.min(1 - span, Math.max(0, start));
    to = from + span;
    draw();
  }
  function zoom(factor, at = .5) {
    const span = to - from, middle = from + at * span, next = Math.min(1, Math.max(least(), span / factor));
    look(middle - at * next, next);
  }
  function draw() {
    if (!data) return;
    const width = stage.clientWidth, height = stage.clientHeight, fine = window.devicePixelRatio || 1;
    if (!width) return;
    canvas.width = Math.round(width * fine);
    canvas.height = Math.round(height * fine);
    if (picture.complete && picture.naturalWidth) {
      const pen = canvas.getContext("2d"), whole = picture.naturalWidth;
      pen.drawImage(picture, from * whole, 0, (to - from) * whole, picture.naturalHeight,
        0, 0, canvas.width, canvas.height);
    }
    const begin = from * data.seconds, length = (to - from) * data.seconds;
    const step = STEPS.find((one) => length / one <= Math.max(3, width / 90)) || 600;
    const axis = find(".axis"), digits = step < .1 ? 2 : step < 1 ? 1 : 0;
    axis.replaceChildren();
    for (let at = Math.ceil(begin / step - 1e-6) * step; at <= begin + length * .985; at += step) {
      const mark = document.createElement("span");
      mark.textContent = at.toFixed(digits) + " s";
      mark.style.left = 100 * (at - begin) / length + "%";
      if (!axis.childElementCount && at - begin > length * .03) mark.style.transform = "translateX(-50%)";
      axis.append(mark);
    }
    root.dataset.from = begin.toFixed(4);
    root.dataset.to = (begin + length).toFixed(4);
    find(".in").setAttribute("aria-disabled", String(to - from <= least() * 1.01));
    for (const name of [".out", ".all"]) find(name).setAttribute("aria-disabled", String(to - from > .999));
    if (!grip) said.textContent = begin.toFixed(2) + " to " + (begin + length).toFixed(2) + " s";
  }
  function place(event) {
    const box = stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }
  stage.addEventListener("pointerdown", (event) => {
    grip = { x: event.clientX, from, moved: false };
    stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    const [x, y] = place(event);
    if (grip) {
      const share = (event.clientX - grip.x) / stage.clientWidth;
      if (Math.abs(event.clientX - grip.x) > 4) grip.moved = true;
      if (grip.moved) { stage.classList.add("moving"); look(grip.from - share * (to - from), to - from); }
      return;
    }
    const at = (from + x * (to - from)) * data.seconds, hertz = HERTZ(MEL(data.top_hz) * (1 - y));
    said.textContent = at.toFixed(2) + " s · " + Math.round(hertz).toLocaleString("en") + " Hz";
  });
  stage.addEventListener("pointerup", (event) => {
    const found = grip && !grip.moved && data.follows ? player() : null;
    if (found) found.currentTime = (from + place(event)[0] * (to - from)) * data.seconds;
    grip = null;
    stage.classList.remove("moving");
  });
  stage.addEventListener("pointercancel", () => { grip = null; stage.classList.remove("moving"); });
  stage.addEventListener("pointerleave", () => { if (!grip) draw(); });
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return;  // a plain wheel moves the page
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 200), place(event)[0]);
  }, { passive: false });
  stage.addEventListener("keydown", (event) => {
    const span = to - from;
    const moves = {
      "+": () => zoom(2), "=": () => zoom(2), "-": () => zoom(.5), ArrowLeft: () => look(from - span / 4, span),
      ArrowRight: () => look(from + span / 4, span), Home: () => look(0, 1), "0": () => look(0, 1),
    };
    if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    moves[event.key]();
  });
  // what is being heard stays in the middle
  function here() { return head.hidden ? .5 : Math.min(1, Math.max(0, parseFloat(head.style.left) / 100)); }
  find(".in").addEventListener("click", () => zoom(2, here()));
  find(".out").addEventListener("click", () => zoom(.5));
  find(".all").addEventListener("click", () => look(0, 1));
  picture.addEventListener("load", draw);
  const watch = new ResizeObserver(draw);
  watch.observe(stage);
  requestAnimationFrame(follow);

  return {
    close() { alive = false; watch.disconnect(); },
    update(fresh) {
      data = fresh;
      stage.setAttribute("aria-label", fresh.alt + ". Keys: + and − zoom, arrows move, 0 shows all of it.");
      find(".marks").replaceChildren(...fresh.marks.map(([hertz, label]) => {
        const mark = document.createElement("span");
        mark.textContent = label;
        mark.style.top = 100 * (1 - MEL(hertz) / MEL(fresh.top_hz)) + "%";
        return mark;
      }));
      if (picture.src !== fresh.url) {
        [from, to] = [0, 1];
        picture.src = fresh.url;
      }
      draw();
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".spectrogram");
  if (!root.look) root.look = build(root);
  root.look.update(data);
  return () => { root.look.close(); root.look = null; };
}
