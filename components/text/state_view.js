/* global bytes, quoted, ink, reader */ // joined in front: token_parts.js
function build(root) {
  const find = (name) => root.querySelector(name), map = find(".map canvas"), bars = find(".bars canvas");
  const slider = find("input");
  let data = null, values = null, shown = 0;
  const inks = () => [ink(root, "--st-primary-color"), ink(root, "--st-chart-categorical-colors", 1)];
  const value = (unit, at) => (values[unit * data.pieces.length + at] - 128) / 127 * data.most;
  const signed = (number) => (number < 0 ? "−" : "+") + Math.abs(number).toFixed(data.most < .1 ? 4 : 2);

  function show(at) {
    shown = at;
    const unit = Number(slider.value), [up, down] = inks(), count = data.pieces.length;
    find(".unit span").textContent = "Unit " + data.units[unit] + " (" + (unit + 1) + " of " + data.units.length + ")";
    slider.setAttribute("aria-valuetext", "Unit " + data.units[unit]);
    text.shade((place) => Math.abs(value(unit, place)) / data.most, (place) => value(unit, place) < 0 ? down : up);
    const own = document.createElement("b"), more = document.createElement("span");
    own.textContent = quoted(data.pieces[at]);
    more.textContent = "  ·  unit " + data.units[unit] + " is " + signed(value(unit, at))
      + "  ·  this token changed the whole state by " + data.change[at].toFixed(3);
    find(".said").replaceChildren(own, more);
    Object.assign(find(".across").style,
      { top: 100 * unit / data.units.length + "%", height: 100 / data.units.length + "%" });
    Object.assign(find(".down").style, { left: 100 * at / count + "%", width: 100 / count + "%" });
  }
  function draw() {
    const count = data.pieces.length, units = data.units.length, [up, down] = inks();
    map.width = count; map.height = units;
    const pen = map.getContext("2d"), picture = pen.createImageData(count, units);
    for (let unit = 0; unit < units; unit++) for (let at = 0; at < count; at++) {
      const number = value(unit, at);
      const alpha = Math.round(255 * Math.min(1, Math.abs(number) / data.most));
      picture.data.set([...(number < 0 ? down : up), alpha], 4 * (unit * count + at));
    }
    pen.putImageData(picture, 0, 0);
    root.querySelectorAll(".key i").forEach((one, place) => {
      one.style.background = `rgb(${[up, down][place].join(",")})`;
    });
    map.setAttribute("aria-label", data.title + ": " + units + " units by " + count + " tokens");
    const most = Math.max(...data.change, 1e-9), high = 40, brush = bars.getContext("2d");
    bars.width = count; bars.height = high;
    brush.fillStyle = `rgb(${up.join(",")})`;
    data.change.forEach((number, at) => {
      const tall = Math.max(1, Math.round(high * number / most));
      brush.fillRect(at, high - tall, 1, tall);
    });
    bars.setAttribute("aria-label", "How much each token changed the state, at most " + most.toFixed(3));
  }
  const text = reader(find(".text"), (at) => { if (values) show(at); });
  const place = (event) => {
    const box = map.getBoundingClientRect(), count = data.pieces.length, units = data.units.length;
    return [Math.floor((event.clientX - box.left) / box.width * count),
      Math.floor((event.clientY - box.top) / box.height * units)];
  };
  map.addEventListener("click", (event) => {
    const [at, unit] = place(event);
    slider.value = unit;
    text.choose(Math.max(0, Math.min(data.pieces.length - 1, at)), false);
  });
  slider.addEventListener("input", () => show(shown));

  return (fresh) => {
    const other = !data || JSON.stringify(data.units) !== JSON.stringify(fresh.units);
    data = fresh; values = bytes(fresh.values);
    slider.max = fresh.units.length - 1;
    if (other) slider.value = 0;
    text.fill(fresh.pieces, fresh.prompt, fresh.pieces.length - 1);
    draw();
    show(text.at);
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".state");
  root.view = root.view || build(root);
  root.view(data);
}
