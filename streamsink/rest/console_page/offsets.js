// Shows where a connector stands, and sets or removes it while the connector is stopped. Asks only when told to.

import { element, table } from "./page.js";
import { answerPlace, carryOut, typedName } from "./orders.js";
import { ask, path } from "./rest.js";

const RULES = "A connector must be stopped before its offsets are changed. Records before an offset that is set forward are never stored; after one that is set back, objects that exist are met and not written again.";

const placeOf = (partition) => ("kafka_topic" in partition ? `${partition.kafka_topic}, partition ${partition.kafka_partition}` : JSON.stringify(partition));
const isSink = (entry) => "kafka_topic" in entry.partition;
const textOf = (entry) => (isSink(entry) ? String(entry.offset?.kafka_offset ?? "") : JSON.stringify(entry.offset));

export function offsetsPart(name, writable) {
  const at = `${path("connectors", name)}/offsets`;
  const answer = answerPlace();
  const place = element("div");
  let stopped = false, entries = null;

  async function load() {
    entries = (await ask(at)).offsets;
    draw();
    return entries.length ? "" : "Nothing has been committed yet.";
  }

  function draw() {
    if (!entries) return;
    const editable = writable && stopped;
    const inputs = entries.map((entry) => element("input", { value: textOf(entry), "aria-label": `Offset of ${placeOf(entry.partition)}`, inputmode: isSink(entry) ? "numeric" : null, spellcheck: "false" }));
    const rows = entries.map((entry, index) => [placeOf(entry.partition), editable ? inputs[index] : textOf(entry)]);
    const change = element("button", { type: "button", onclick: () => carryOut(change, answer.say, "Setting offsets", async () => {
      const changed = entries.map((entry, index) => [entry, inputs[index].value.trim()]).filter(([entry, text]) => text !== textOf(entry));
      if (!changed.length) return "No offset differs.";
      const said = await ask(at, { method: "PATCH", body: { offsets: changed.map(([entry, text]) => ({ partition: entry.partition, offset: offsetOf(entry, text) })) } });
      await load();
      return said.message;
    }) }, "Set changed offsets");
    const reset = typedName(`Remove all offsets of ${name}?`, name, "It then begins where its configuration says, as a new connector does.", "Remove offsets", () => carryOut(resets, answer.say, "Removing", async () => {
      const said = await ask(at, { method: "DELETE" });
      await load();
      return said.message;
    }));
    const resets = element("button", { type: "button", class: "danger", onclick: reset.open }, "Remove all");
    place.replaceChildren(...[
      entries.length ? table([{ text: "Partition" }, { text: "Next offset", number: !editable }], rows, { label: "Offsets" }) : null,
      editable && entries.length ? element("div", { class: "actions" }, change, resets) : null, editable ? reset.dialog : null].filter(Boolean));
  }

  const show = element("button", { type: "button", onclick: () => carryOut(show, answer.say, "Asking", load) }, "Show offsets");
  const update = (connector) => {
    const now = connector.state === "STOPPED";
    if (now !== stopped) { stopped = now; draw(); }
  };
  return { node: element("section", {}, element("h2", {}, "Offsets"), writable ? element("p", { class: "faint" }, RULES) : null, show, place, answer.node), update };
}

// An empty text removes one.
function offsetOf(entry, text) {
  if (!text) return null;
  if (!isSink(entry)) return JSON.parse(text);
  if (!/^\d+$/.test(text)) throw new Error(`${text} is not an offset`);
  return { kafka_offset: Number(text) };
}
