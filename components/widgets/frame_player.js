/* global fit */ // joined in front: picture_parts.js
const PAUSE_MS = 125;

function build(root) {
  const find = (name) => root.querySelector(name);
  const figures = [...root.querySelectorAll("figure")], button = find("button"), slider = find("input");
  const strips = figures.map(() => new Image());
  let data = null, clock = null;

  function show() {
    const at = Number(slider.value), [width, height] = data.tile, text = data.captions[at] || "";
    figures.forEach((figure, index) => {
      const canvas = figure.querySelector("canvas"), strip = strips[index], pen = canvas.getContext("2d");
      canvas.setAttribute("aria-label", [data.titles[index], text].filter(Boolean).join(": ") || "Frame " + (at + 1));
      if (index >= data.urls.length || !strip.complete || !strip.naturalWidth) return;
      pen.clearRect(0, 0, width, height);
      pen.drawImage(strip, at * width, 0, width, height, 0, 0, width, height);
    });
    find("output").textContent = at + 1 + " / " + data.count;
    find(".caption").textContent = text;
    slider.setAttribute("aria-valuetext", at + 1 + " of " + data.count + (text ? ": " + text : ""));
  }
  function pause() {
    clearInterval(clock);
    clock = null;
    button.textContent = "Play";
    button.setAttribute("aria-label", "Play");
  }
  function play() {
    if (Number(slider.value) >= data.count - 1) slider.value = 0;
    show();
    button.textContent = "Pause";
    button.setAttribute("aria-label", "Pause");
    clock = setInterval(() => {
      slider.value = Number(slider.value) + 1;
      show();
      if (Number(slider.value) >= data.count - 1) pause();
    }, PAUSE_MS);
  }
  button.addEventListener("click", () => { if (clock) pause(); else if (data.count > 1) play(); });
  slider.addEventListener("input", () => { pause(); show(); });
  strips.forEach((strip) => strip.addEventListener("load", () => show()));

  function measure() {
    if (!data) return;
    const many = data.urls.length, gap = parseFloat(getComputedStyle(find(".screens")).columnGap) || 0;
    const room = Math.floor((root.clientWidth - (many - 1) * gap) / many);
    const wide = figures.slice(0, many).map((figure) => {
      const width = fit(figure.querySelector(".stage"), ...data.tile, room);
      figure.style.width = width + "px";
      return width;
    });
    find(".bar").style.width = wide[0] * many + (many - 1) * gap + "px";
  }
  const watch = new ResizeObserver(measure);
  watch.observe(root);

  return {
    close() { watch.disconnect(); pause(); },
    update(fresh) {
      const [width, height] = fresh.tile, last = Math.max(1, fresh.count - 1);
      if (clock && data.urls.join() !== fresh.urls.join()) pause();
      data = fresh;
      slider.max = fresh.count - 1;
      slider.disabled = fresh.count < 2;
      button.setAttribute("aria-disabled", String(fresh.count < 2));
      figures.forEach((figure, index) => {
        figure.hidden = index >= fresh.urls.length;
        if (figure.hidden) return;
        const canvas = figure.querySelector("canvas"), title = figure.querySelector("figcaption");
        title.textContent = fresh.titles[index];
        title.hidden = !fresh.titles[index];
        if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
        if (strips[index].src !== fresh.urls[index]) strips[index].src = fresh.urls[index];
      });
      const tick = find(".tick");
      tick.hidden = fresh.marker === null;
      tick.style.setProperty("--at", 100 * (fresh.marker || 0) / last + "%");
      tick.querySelector("span").textContent = fresh.marker_label;
      measure();
      show();
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".player");
  root.player = root.player || build(root);
  root.player.update(data);
  return root.player.close;
}
