// Makes the field of one key: a choice, a secret, an amount or a text, with its words and errors. Knows no other key.

import { element } from "./page.js";
import { secretControl } from "./secret.js";
import { amount, quantityOf, reading, withUnit } from "./text.js";

const OTHER = " other";

function textControl(id, key, change) {
  const input = element("input", { id, type: "text", placeholder: placeholderOf(key), autocomplete: "off", spellcheck: "false", oninput: () => change(input.value) });
  return { node: input, input, set: (text) => { input.value = text; } };
}

function amountControl(id, key, quantity, change) {
  const said = element("output", { for: id });
  const { node, input } = textControl(id, key, (text) => { said.textContent = reading(quantity, text); change(text); });
  return { node: element("span", { class: "amount" }, node, said), input, set: (text) => { input.value = text; said.textContent = reading(quantity, text); } };
}

// A choice among known values; where others are possible as well, a field to write one.
function choiceControl(id, key, values, open, change) {
  const free = element("input", { id: `${id}-other`, type: "text", "aria-label": `${key.name}, another value`, hidden: true, autocomplete: "off", spellcheck: "false", oninput: () => change(free.value) });
  const nothing = key.default_value ? `${key.default_value} (default)` : "not set";
  const select = element("select", { id, onchange: () => {
    free.hidden = select.value !== OTHER;
    if (free.hidden) change(select.value);
    else { free.value = ""; free.focus(); change(""); }
  } }, element("option", { value: "" }, nothing), values.filter((each) => each !== key.default_value).map((each) => element("option", { value: each }, each)),
  open ? element("option", { value: OTHER }, "another …") : null);
  function set(text) {
    const plain = text === key.default_value ? "" : text;
    const known = plain === "" || values.includes(plain);
    if (!known && !open) select.append(element("option", { value: plain }, plain));
    select.value = known || !open ? plain : OTHER;
    free.hidden = select.value !== OTHER;
    if (!free.hidden) free.value = plain;
  }
  return { node: element("span", { class: "choice" }, select, open ? free : null), input: select, set };
}

function defaultOf(key) {
  const quantity = quantityOf(key.name);
  if (!key.default_value) return "";
  const value = quantity ? amount(quantity, key.default_value) : null;
  return value ? withUnit(quantity, value).replace(" ", "") : key.default_value.replaceAll("\n", "\\n");
}

function placeholderOf(key) {
  return defaultOf(key) || (key.type === "LIST" ? "a, b, c" : "");
}

function controlOf(id, key, change) {
  if (key.type === "PASSWORD") return secretControl(id, key, change);
  if (key.type === "BOOLEAN") return choiceControl(id, key, ["true", "false"], false, change);
  const values = key.recommended_values || [];
  if (values.length && key.type !== "LIST") return choiceControl(id, key, values, key.type === "CLASS" || values.length < 2, change);
  const quantity = ["INT", "LONG"].includes(key.type) ? quantityOf(key.name) : null;
  return quantity ? amountControl(id, key, quantity, change) : textControl(id, key, change);
}

// `change(text)` hears each change; `set(text)` shows a value, `judge(errors)` what is wrong with it.
export function fieldOf(key, change, label = key.display_name) {
  const id = `key-${key.name}`;
  const control = controlOf(id, key, change);
  const error = element("span", { class: "error", id: `${id}-error` });
  const title = label && label.toLowerCase().replaceAll(" ", ".") !== key.name ? [`${label} `, element("code", {}, key.name)] : element("code", {}, key.name);
  control.input.setAttribute("aria-describedby", `${id}-about ${id}-error`);
  if (key.required) control.input.setAttribute("required", "");
  const about = [key.documentation || "", defaultOf(key) ? element("span", { class: "default" }, ` Default: ${defaultOf(key)}.`) : null];
  const node = element("div", { class: `field ${(key.width || "").toLowerCase()}` },
    element("label", { for: id }, title, key.required ? element("span", { class: "required" }, " required") : null),
    control.node, element("small", { id: `${id}-about` }, about), error);
  function judge(errors) {
    error.textContent = errors.join("; ");
    if (errors.length) control.input.setAttribute("aria-invalid", "true");
    else control.input.removeAttribute("aria-invalid");
  }
  return { key, node, set: control.set, judge, focus: () => control.input.focus() };
}
