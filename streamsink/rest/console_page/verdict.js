// Says what the worker thinks of a configuration: how many errors, warnings, and the guarantee. Asks nobody.

import { element } from "./page.js";
import { plural } from "./text.js";

const NAMED_MAX = 6;

export function verdictPart(verb) {
  const line = element("p", { class: "verdict faint", role: "status" }, "It is checked as you type.");
  const notes = element("div", { class: "notes" });
  const submit = element("button", { class: "primary", type: "submit", disabled: true }, verb);

  function say(text, kind) { line.className = `verdict ${kind}`; line.textContent = text; }

  function pending() { submit.disabled = true; say("Checking …", "faint"); }

  function trouble(message) { submit.disabled = true; say(`It could not be checked: ${message}`, "bad"); }

  // `others` are errors of keys that have no field; `current` is whether nothing was typed since.
  function show(report, others, current, jump) {
    const wrong = report.configs.filter((each) => each.value.errors.length).map((each) => each.value.name);
    submit.disabled = !current || report.error_count > 0;
    if (report.error_count) say(`${plural(report.error_count, "problem")}: `, "bad");
    else say(current ? "This configuration can be used." : "Checking …", current ? "good" : "faint");
    line.append(...wrong.slice(0, NAMED_MAX).flatMap((name, index) => [index ? ", " : "", element("button", { type: "button", class: "jump", onclick: () => jump(name) }, name)]), wrong.length > NAMED_MAX ? " and more" : "");
    notes.replaceChildren(...[
      others.length ? element("ul", { class: "bad" }, others.map((each) => element("li", {}, each))) : null,
      report.warnings?.length ? element("section", { "aria-label": "Warnings" }, element("h2", {}, "Warnings"), element("ul", {}, report.warnings.map((each) => element("li", {}, each)))) : null,
      report.guarantee ? element("section", { "aria-label": "Guarantee" }, element("h2", {}, "What it guarantees"), element("p", {}, report.guarantee)) : null,
    ].filter(Boolean));
  }
  return { line, notes, submit, say, pending, trouble, show };
}
