// Makes elements out of data: text stays text and never becomes markup. Knows nothing of connectors.

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

// `head` has {text, number} for each column. On a phone each row of kind "cards" becomes a card.
export function table(head, rows, { kind = "", label = "" } = {}) {
  const cells = (row) => row.map((cell, index) => element("td", { class: head[index].number ? "number" : null, "data-label": head[index].text }, cell));
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": label || head[0].text },
    element("table", { class: kind },
      element("thead", {}, element("tr", {}, head.map((each) => element("th", { scope: "col", class: each.number ? "number" : null }, each.text)))),
      element("tbody", {}, rows.map((row) => element("tr", {}, cells(row))))));
}

export const stateOf = (value) => element("span", { class: `state ${value}` }, value);

export const folded = (key, summary, ...children) => element("details", { "data-key": key }, element("summary", {}, summary), ...children);

const filled = new WeakMap();

const nameOf = (node) => node.getAttribute("href") || node.dataset.focus || (node.tagName === "SUMMARY" ? node.parentElement.dataset.key : null);

// Replaces what a place shows, if that differs. Focus and what is unfolded stay where they were.
export function refill(place, children) {
  const fresh = element("div", {}, children);
  const text = fresh.innerHTML;
  if (filled.get(place) === text) return;
  filled.set(place, text);
  const active = place.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  const open = new Map([...place.querySelectorAll("details[data-key]")].map((each) => [each.dataset.key, each.open]));
  place.replaceChildren(...fresh.childNodes);
  for (const each of place.querySelectorAll("details[data-key]")) if (open.has(each.dataset.key)) each.open = open.get(each.dataset.key);
  if (active) [...place.querySelectorAll("a, button, summary")].find((each) => nameOf(each) === active)?.focus();
}

export function tell(problem) {
  const place = document.getElementById("trouble");
  place.hidden = !problem;
  place.textContent = problem || "";
}
