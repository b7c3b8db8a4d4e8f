// textContent only: what a model or a person wrote is text, whatever it holds
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".stories");
  box.style.setProperty("--least", data.texts.length === 3 ? "16rem" : "21rem");
  while (box.children.length > data.texts.length) box.lastChild.remove();
  data.texts.forEach((text, index) => {
    let card = box.children[index];
    if (!card) {
      card = document.createElement("article");
      const title = document.createElement("h2"), body = document.createElement("p");
      const given = document.createElement("span"), fresh = document.createElement("span");
      given.className = "given"; fresh.className = "new";
      body.append(given, fresh); card.append(title, body); box.append(card);
    }
    card.className = text.live ? "live" : "";
    const title = card.querySelector("h2");
    title.textContent = text.title; title.hidden = !text.title;
    const set = (name, value) => {
      const node = card.querySelector(name);
      if (node.textContent !== value) node.textContent = value;
    };
    set(".given", text.given); set(".new", text.fresh);
  });
  if (data.done && window.__playgroundRun === data.run && document.hidden) {
    const before = document.title;
    document.title = "Done · " + before;
    document.addEventListener("visibilitychange", () => { document.title = before; }, { once: true });
  }
  window.__playgroundRun = data.done ? "" : data.run;
}
