const PAUSE_MS = 250;
export default function ({ data, parentElement, setStateValue }) {
  const box = parentElement.querySelector("textarea");
  parentElement.querySelector("span").textContent = data.label;
  box.placeholder = data.placeholder;
  if (!box.ready) { box.ready = true; box.value = data.text; }
  box.oninput = () => {
    clearTimeout(box.clock);
    box.clock = setTimeout(() => setStateValue("text", box.value), PAUSE_MS);
  };
  for (const name of ["keydown", "keypress", "keyup"]) box["on" + name] = (event) => event.stopPropagation();
}
