// textContent only: answers are text, whatever they hold
export default function ({ data, parentElement }) {
  const table = parentElement.querySelector("table"), head = table.querySelector("thead tr");
  const fit = (box, count, make) => {
    while (box.children.length > count) box.lastChild.remove();
    while (box.children.length < count) box.append(make(box.children.length));
  };
  const set = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  fit(head, data.columns.length, () => { const cell = document.createElement("th"); cell.scope = "col"; return cell; });
  data.columns.forEach((name, at) => set(head.children[at], name));
  fit(table, data.rows.length + 1, () => {
    const body = document.createElement("tbody"), facts = document.createElement("tr");
    const long = document.createElement("tr"), cell = document.createElement("td"), box = document.createElement("div");
    facts.className = "facts"; long.className = "long";
    cell.colSpan = data.columns.length; box.tabIndex = 0; box.setAttribute("role", "group");
    cell.append(box); long.append(cell); body.append(facts, long);
    return body;
  });
  data.rows.forEach((row, place) => {
    const [facts, long] = table.children[place + 1].children;
    fit(facts, data.columns.length, (at) => {
      const cell = document.createElement(at ? "td" : "th");
      if (!at) cell.scope = "row";
      return cell;
    });
    data.columns.forEach((name, at) => { set(facts.children[at], row[at]); facts.children[at].dataset.name = name; });
    const box = long.querySelector("div"), text = row[data.columns.length];
    box.setAttribute("aria-label", data.long + ": " + row[0]);
    set(box, text); long.hidden = !text;
  });
}
