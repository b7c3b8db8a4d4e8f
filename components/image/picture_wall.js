// titles are people's words: textContent and attributes alone
export default function ({ data, parentElement, setTriggerValue }) {
  const wall = parentElement.querySelector(".wall");
  const drawn = JSON.stringify(data.groups);
  if (wall.drawn !== drawn) {
    wall.drawn = drawn;
    wall.replaceChildren(...data.groups.map((group) => {
      const box = document.createElement("div");
      box.className = group.length > 1 ? "group many" : "group";
      box.append(...group.map((cell) => {
        const button = document.createElement("button"), label = document.createElement("span");
        const face = document.createElement(cell.url ? "img" : "div");
        button.type = "button"; button.dataset.id = cell.id; button.title = cell.title;
        button.setAttribute("aria-label", cell.title);
        if (cell.url) {
          face.onload = () => face.classList.toggle("small", Math.max(face.naturalWidth, face.naturalHeight) <= 64);
          face.src = cell.url; face.alt = "";
        } else {
          face.className = "none";
          face.append(Object.assign(document.createElement("span"), { textContent: cell.label }));
        }
        label.textContent = cell.url ? cell.label : "";
        button.append(face, label);
        return button;
      }));
      return box;
    }));
  }
  for (const button of wall.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(button.dataset.id === data.chosen));
    button.onclick = () => setTriggerValue("pick", button.dataset.id);
  }
}
