/* global narrow, fit */ // joined in front: picture_parts.js
// the switch is the reader's own and stays in the browser; text from people goes through textContent and alt alone
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".pictures"), soft = parentElement.querySelector(".smooth");
  const tick = soft.querySelector("input"), few = data.pictures.length;
  while (box.children.length > few) box.lastChild.remove();
  const layout = () => {
    const room = box.parentElement.getBoundingClientRect().width;  // exact: rounded up, the last would not fit
    const columns = narrow.matches ? Math.min(2, few) : Math.min(4, few);
    const each = few > 1 ? (room - 16 * (columns - 1)) / columns : room;
    data.pictures.forEach((one, index) => {
      const wide = fit(box.children[index].querySelector(".stage"), one.width, one.height, each);
      box.children[index].style.width = wide + "px";
    });
  };
  data.pictures.forEach((one, index) => {
    let figure = box.children[index];
    if (!figure) {
      figure = document.createElement("figure");
      const stage = document.createElement("div"), image = document.createElement("img");
      const caption = document.createElement("figcaption");
      stage.className = "stage"; stage.append(image); figure.append(stage, caption); box.append(figure);
    }
    const image = figure.querySelector("img"), caption = figure.querySelector("figcaption");
    image.hidden = !one.url;  // a place where a picture is to come
    if (one.url && image.getAttribute("src") !== one.url) image.src = one.url;
    image.alt = one.alt;
    caption.textContent = one.label; caption.hidden = !one.label;
  });
  soft.hidden = !data.pictures.some((one) => Math.max(one.width, one.height) <= 128);
  try { tick.checked = localStorage.getItem("playground-smooth") === "1"; } catch (error) { /* no storage */ }
  box.classList.toggle("soft", tick.checked);
  tick.onchange = () => {
    box.classList.toggle("soft", tick.checked);
    try { localStorage.setItem("playground-smooth", tick.checked ? "1" : "0"); } catch (error) { /* as above */ }
  };
  layout();
  const watch = new ResizeObserver(layout);
  watch.observe(box.parentElement);
  if (data.done && window.__playgroundRun === data.run && document.hidden) {
    const before = document.title;
    document.title = "Done · " + before;
    document.addEventListener("visibilitychange", () => { document.title = before; }, { once: true });
  }
  window.__playgroundRun = data.done ? "" : data.run;
  return () => watch.disconnect();
}
