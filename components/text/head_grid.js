/* global bytes, ink */ // joined in front: token_parts.js
export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".heads"), { layers, heads, side } = data;
  const colour = ink(box, "--st-primary-color"), drawn = data.thumbs + colour;
  box.style.setProperty("--count", heads);
  if (box.drawn !== drawn) {
    box.drawn = drawn;
    const all = bytes(data.thumbs), parts = [];
    const label = (text, name) => {
      const one = document.createElement("i");
      one.textContent = text; one.className = name; one.setAttribute("aria-hidden", "true");
      return one;
    };
    parts.push(label("", ""));
    for (let head = 0; head < heads; head++) parts.push(label(head + 1, ""));
    for (let layer = 0; layer < layers; layer++) {
      parts.push(label(heads > 8 ? layer + 1 : "Layer " + (layer + 1), "layer"));
      for (let head = 0; head < heads; head++) {
        const button = document.createElement("button"), canvas = document.createElement("canvas");
        const name = `Layer ${layer + 1}, head ${head + 1}`;
        button.type = "button"; button.title = name; button.setAttribute("aria-label", name);
        button.setAttribute("role", "radio");
        button.dataset.place = layer * heads + head;
        canvas.width = canvas.height = side;
        const pen = canvas.getContext("2d"), picture = pen.createImageData(side, side);
        const start = (layer * heads + head) * side * side;
        for (let at = 0; at < side * side; at++) picture.data.set([...colour, all[start + at]], 4 * at);
        pen.putImageData(picture, 0, 0);
        button.append(canvas);
        parts.push(button);
      }
    }
    box.replaceChildren(...parts);
  }
  const buttons = [...box.querySelectorAll("button")];
  const chosen = data.chosen ? data.chosen[0] * heads + data.chosen[1] : -1;
  const pick = (place) => setTriggerValue("pick", [Math.floor(place / heads), place % heads]);
  buttons.forEach((button, place) => {
    button.setAttribute("aria-checked", String(place === chosen));
    button.tabIndex = place === Math.max(0, chosen) ? 0 : -1;
    button.onclick = () => pick(place);
    button.onkeydown = (event) => {
      const way = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -heads, ArrowDown: heads }[event.key];
      if (!way || !buttons[place + way]) return;
      event.preventDefault();
      buttons[place + way].focus();
      pick(place + way);
    };
  });
}
