/* global fit */ // joined in front: picture_parts.js
// the slider hears the keys and screen readers; pointers are read from the stage, as some browsers drag only its thumb
function build(root) {
  const stage = root.querySelector(".stage"), slider = root.querySelector("input");
  const images = [".left", ".right"].map((name) => root.querySelector(name + " img"));
  let labels = ["", ""], held = null;

  function show() {
    const at = Number(slider.value);
    stage.style.setProperty("--at", at + "%");
    slider.setAttribute("aria-valuenow", at);
    slider.setAttribute("aria-valuetext", at + "% " + labels[0] + ", " + (100 - at) + "% " + labels[1]);
  }
  function move(event) {
    const place = stage.getBoundingClientRect();
    slider.value = Math.round(100 * (event.clientX - place.left) / place.width);
    show();
  }
  slider.addEventListener("input", show);
  stage.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    event.preventDefault();
    slider.focus({ preventScroll: true });
    stage.setPointerCapture(event.pointerId);
    held = event.pointerId;
    move(event);
  });
  stage.addEventListener("pointermove", (event) => { if (held === event.pointerId) move(event); });
  const lift = (event) => { if (held === event.pointerId) held = null; };
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);

  const measure = () => fit(stage, images[0].naturalWidth, images[0].naturalHeight, root.clientWidth);
  images[0].addEventListener("load", measure);
  const watch = new ResizeObserver(measure);
  watch.observe(root);

  return {
    close: () => watch.disconnect(),
    update(data) {
      labels = data.labels;
      images.forEach((image, index) => {
        if (image.getAttribute("src") !== data.urls[index]) image.src = data.urls[index];
        image.alt = labels[index];
        const label = image.nextElementSibling;
        label.textContent = labels[index];
        label.hidden = !labels[index];
      });
      slider.setAttribute("aria-label", "Divider between " + labels[0] + " and " + labels[1]);
      show();
    },
  };
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".pair");
  root.pair = root.pair || build(root);
  root.pair.update(data);
  return root.pair.close;
}
