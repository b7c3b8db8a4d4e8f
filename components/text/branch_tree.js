// textContent only: what a model wrote is text, whatever it holds
export default function ({ data, parentElement, setTriggerValue }) {
  const box = parentElement.querySelector(".tree");
  box.replaceChildren(...data.nodes.map((node) => {
    const button = document.createElement("button");
    button.type = "button";
    button.style.setProperty("--in", Math.min(node.depth, 6) * 1.1 + "rem");
    const at = document.createElement("span"), says = document.createElement("span");
    at.className = "at"; at.textContent = node.at;
    says.className = "says"; says.textContent = node.says; button.title = node.says;
    button.setAttribute("aria-current", String(node.current));
    button.append(at, says);
    button.onclick = () => setTriggerValue("pick", node.id);
    return button;
  }));
}
