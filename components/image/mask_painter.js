/* global fit */ // joined in front: picture_parts.js
// the mask is one byte a pixel, so that it has no soft edges and is compared, kept and taken back as a whole
const kept = new Map();  // by key: the page may take this component away and draw it anew
const PAST = 40, STEPS = 16;

function build(root) {
  const find = (name) => root.querySelector(name);
  const stage = find(".stage"), canvas = find("canvas"), ring = find(".ring"), band = find(".band");
  const slider = find(".size input");
  let now = null, stroke = null, side = [1, 1], name = "", give = () => {}, held = false;

  const inside = (value, most) => Math.max(0, Math.min(most, value));
  const box = () => now.tool === "box";

  function draw() {
    const [width, height] = side, pen = canvas.getContext("2d");
    const pixels = pen.createImageData(width, height);
    now.mask.forEach((on, index) => { pixels.data[4 * index + 3] = 255 * on; });
    pen.globalCompositeOperation = "source-over";
    pen.putImageData(pixels, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = getComputedStyle(root).getPropertyValue("--st-primary-color").trim() || "#5b3fd6";
    pen.fillRect(0, 0, width, height);
  }

  function send() {
    if (!now.mask.some(Boolean)) return give("mask", null);
    const sheet = document.createElement("canvas");
    [sheet.width, sheet.height] = side;
    const pen = sheet.getContext("2d"), pixels = pen.createImageData(...side);
    now.mask.forEach((on, index) => pixels.data.set([255 * on, 255 * on, 255 * on, 255], 4 * index));
    pen.putImageData(pixels, 0, 0);
    give("mask", { picture: now.picture, png: sheet.toDataURL("image/png") });
  }

  function tools() {
    root.querySelectorAll("[data-tool]").forEach((one) => {
      one.setAttribute("aria-pressed", String(one.dataset.tool === now.tool));
    });
    find("[data-act=undo]").setAttribute("aria-disabled", String(!now.past.length));
    slider.max = Math.max(2, Math.round(Math.max(...side) / 2));
    slider.value = now.brush;
    find(".size output").textContent = now.brush + " px";
    canvas.setAttribute("aria-label", "Mask. Arrow keys move the cursor, Shift with them moves it by one pixel. "
      + (box() ? "Space sets the first corner, Space again the second. Escape cancels."
        : "Space " + (now.tool === "eraser" ? "erases." : "paints.")));
    const share = 100 * now.mask.reduce((sum, on) => sum + on, 0) / now.mask.length;
    find(".told").textContent = !share ? "Nothing painted yet. Paint over the area to redraw."
      : (share < 1 ? "Less than 1" : Math.round(share)) + "% of the image will be redrawn.";
  }

  const remember = () => { now.past.push(now.mask.slice()); if (now.past.length > PAST) now.past.shift(); };
  function settle() {  // what changed nothing is nothing to take back
    const before = now.past[now.past.length - 1];
    if (before.every((on, index) => on === now.mask[index])) now.past.pop(); else send();
    draw(); tools();
  }

  function line([x0, y0], [x1, y1], value) {  // every pixel whose middle the round brush passes
    const [width, height] = side, radius = now.brush / 2, dx = x1 - x0, dy = y1 - y0, long = dx * dx + dy * dy;
    const from = (a, b) => Math.floor(Math.min(a, b) - radius), to = (a, b) => Math.ceil(Math.max(a, b) + radius);
    for (let y = Math.max(0, from(y0, y1)); y < Math.min(height, to(y0, y1)); y++) {
      for (let x = Math.max(0, from(x0, x1)); x < Math.min(width, to(x0, x1)); x++) {
        const along = long ? inside(((x + .5 - x0) * dx + (y + .5 - y0) * dy) / long, 1) : 0;
        if (Math.hypot(x + .5 - x0 - along * dx, y + .5 - y0 - along * dy) <= radius) now.mask[y * width + x] = value;
      }
    }
    const x = Math.floor(x1), y = Math.floor(y1);  // the finest brush may pass between all middles
    if (x >= 0 && y >= 0 && x < width && y < height) now.mask[y * width + x] = value;
  }

  function area() {
    return [0, 1].flatMap((axis) => {
      const a = inside(stroke.from[axis], side[axis]), b = inside(stroke.last[axis], side[axis]);
      const low = Math.min(Math.floor(Math.min(a, b)), side[axis] - 1);
      return [low, Math.max(low + 1, Math.ceil(Math.max(a, b)))];
    });
  }

  function begin(at, pointer, erase) {
    remember();
    stroke = { from: at, last: at, pointer, box: box() && !erase, value: erase || now.tool === "eraser" ? 0 : 1 };
    extend(at);
  }
  function extend(at) {
    if (stroke.box) {
      stroke.last = at;
      const [x0, x1, y0, y1] = area(), [width, height] = side, share = (part, all) => 100 * part / all + "%";
      Object.assign(band.style, { left: share(x0, width), top: share(y0, height),
        width: share(x1 - x0, width), height: share(y1 - y0, height) });
      band.hidden = false;
    } else {
      line(stroke.last, at, stroke.value);
      stroke.last = at;
      draw();
    }
  }
  function finish() {
    if (!stroke) return;
    if (stroke.box) {
      const [x0, x1, y0, y1] = area();
      for (let y = y0; y < y1; y++) now.mask.fill(1, y * side[0] + x0, y * side[0] + x1);
    }
    stroke = null; band.hidden = true;
    settle();
  }
  function giveUp() {
    if (!stroke) return;
    stroke = null; band.hidden = true;
    now.mask = now.past.pop();
    draw(); tools();
  }

  function act(what) {
    const busy = Boolean(stroke);
    giveUp();
    if (what === "undo") {
      if (busy || !now.past.length) return;
      now.mask = now.past.pop();
      draw(); tools(); send();
      return;
    }
    remember();
    if (what === "clear") now.mask.fill(0); else now.mask.forEach((on, index) => { now.mask[index] = 1 - on; });
    settle();
  }

  function point(event) {
    const place = canvas.getBoundingClientRect();
    return [(event.clientX - place.left) / place.width * side[0], (event.clientY - place.top) / place.height * side[1]];
  }
  function show(at) {
    now.cursor = [inside(at[0], side[0]), inside(at[1], side[1])];
    ring.style.left = 100 * now.cursor[0] / side[0] + "%";
    ring.style.top = 100 * now.cursor[1] / side[1] + "%";
    ring.style.width = 100 * now.brush / side[0] + "%";
    ring.classList.toggle("point", box());
    ring.hidden = false;
  }

  canvas.addEventListener("pointerdown", (event) => {
    const erase = event.button === 5;  // the other end of a pen
    if (!event.isPrimary || (event.button !== 0 && !erase)) return;
    event.preventDefault();
    giveUp();
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    show(point(event));
    begin(point(event), event.pointerId, erase);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!event.isPrimary || (stroke && stroke.pointer !== event.pointerId)) return;
    show(point(event));
    if (stroke) extend(point(event));
  });
  const lift = (event) => {
    if (stroke && stroke.pointer === event.pointerId) finish();
    if (event.pointerType === "touch") ring.hidden = true;
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => { ring.hidden = !canvas.matches(":focus-visible"); });
  canvas.addEventListener("focus", () => { if (canvas.matches(":focus-visible")) show(now.cursor); });
  canvas.addEventListener("blur", () => {
    held = false; ring.hidden = true;
    if (stroke && stroke.pointer === null) { if (stroke.box) giveUp(); else finish(); }
  });

  const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const way = WAYS[event.key], byPointer = stroke && stroke.pointer !== null;
    if (event.ctrlKey || event.metaKey || event.altKey || byPointer) return;
    if (way) {
      event.preventDefault();
      show(now.cursor.map((value, axis) => value + way[axis] * (event.shiftKey ? 1 : side[axis] / STEPS)));
      if (stroke) extend(now.cursor);
      find(".unseen").textContent = now.cursor.map(Math.round).join(", ") + " of " + side.join(", ");
    } else if (event.key === " ") {
      event.preventDefault();
      if (event.repeat || held) return;
      held = true;
      show(now.cursor);
      if (stroke) finish(); else begin(now.cursor, null, false);
    } else if (event.key === "Escape") giveUp();
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    held = false;
    if (stroke && stroke.pointer === null && !stroke.box) finish();
  });
  root.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    act("undo");
  });
  root.querySelectorAll("[data-act]").forEach((one) => one.addEventListener("click", () => act(one.dataset.act)));
  root.querySelectorAll("[data-tool]").forEach((one) => one.addEventListener("click", () => {
    giveUp();
    now.tool = one.dataset.tool;
    tools();
  }));
  slider.addEventListener("input", () => { now.brush = Number(slider.value); tools(); });

  const measure = () => fit(stage, ...side, root.clientWidth);
  const watch = new ResizeObserver(measure);
  watch.observe(root);

  return {
    close: () => watch.disconnect(),
    update(data, setStateValue) {
      const old = kept.get(data.key), fresh = !now;
      give = setStateValue;
      if (!old || old.picture !== data.picture) {
        stroke = null; band.hidden = true;
        side = data.size;
        now = { picture: data.picture, mask: new Uint8Array(side[0] * side[1]), past: [],
          tool: old ? old.tool : "brush", cursor: [side[0] / 2, side[1] / 2],
          brush: old ? old.brush : Math.max(1, Math.round(Math.max(...side) / 8)) };
        kept.set(data.key, now);
      } else if (now !== old) { now = old; side = data.size; }
      if (canvas.width !== side[0] || canvas.height !== side[1]) [canvas.width, canvas.height] = side;
      const image = find("img");
      if (image.getAttribute("src") !== data.url) image.src = data.url;
      measure(); draw(); tools();
      if (old && old !== now ? old.mask.some(Boolean) : fresh && now.mask.some(Boolean)) send();
    },
  };
}

export default function ({ data, parentElement, setStateValue }) {
  const root = parentElement.querySelector(".painter");
  root.painter = root.painter || build(root);
  root.painter.update(data, setStateValue);
  return root.painter.close;
}
