// Shows what a sink has archived, by topic and day. Asks once a minute at most, since it lists the store.

import { element, refill, table } from "./page.js";
import { ask, path } from "./rest.js";
import { bytes, count, plural } from "./text.js";

const AGAIN_MS = 60000;
const DAYS_SHOWN = 14;
const HEAD = [{ text: "Day (UTC)" }, { text: "Objects", number: true }, { text: "Records", number: true }, { text: "Size", number: true }, { text: "Growth" }];

// What a topic grew by on its last full days, in words.
function growth(days) {
  const dated = days.filter((each) => /^\d{4}-/.test(each.day));
  const full = dated.slice(0, -1).slice(-7);
  if (!full.length) return "";
  const sum = full.reduce((total, each) => total + each.bytes, 0);
  return ` It grew by ${bytes(sum / full.length)} a day over ${full.length === 1 ? "the last full day" : `the last ${full.length} full days`} with records.`;
}

function holes(topic) {
  if (!topic.offsets_missing) return [element("p", { class: "good" }, "Every offset between the first and the last is in an object.")];
  const gaps = topic.gaps.map((gap) => element("li", {}, `Partition ${gap.partition}: ${gap.first === gap.last ? gap.first : `${gap.first} to ${gap.last}`}`));
  return [
    element("p", { class: "warn" }, `${plural(topic.offsets_missing, "offset")} between the first and the last ${topic.offsets_missing === 1 ? "is" : "are"} in no object: `
      + "aborted by a transaction, compacted, or not stored yet."),
    gaps.length ? element("ul", {}, gaps) : null,
    topic.gaps_more ? element("p", { class: "faint" }, `and ${plural(topic.gaps_more, "more gap")}.`) : null,
  ];
}

function topicOf(topic) {
  const most = Math.max(...topic.days.map((each) => each.bytes), 1);
  const bar = (value) => element("progress", { max: "100", value: String(Math.round((value / most) * 100)), "aria-label": `${bytes(value)} on this day` });
  const days = topic.days.slice(-DAYS_SHOWN).reverse();
  return element("section", { "aria-label": `Archive of ${topic.topic}` },
    element("h3", {}, topic.topic),
    element("p", {}, `${plural(topic.objects, "object")} with ${plural(topic.records, "record")}, ${bytes(topic.bytes)}.${growth(topic.days)}`),
    holes(topic),
    table(HEAD, days.map((day) => [day.day, count(day.objects), count(day.records), bytes(day.bytes), bar(day.bytes)]), { label: `Days of ${topic.topic}` }),
    topic.days.length > DAYS_SHOWN ? element("p", { class: "faint" }, `${plural(topic.days.length - DAYS_SHOWN, "earlier day")} left out.`) : null);
}

function content(found) {
  if (found.problem) return element("p", { class: "faint" }, found.problem);
  if (!found.topics.length) return element("p", { class: "faint" }, "Nothing is stored yet.");
  return [found.complete ? null : element("p", { class: "warn" }, "The archive is large: only a part was looked at, and sums are of that part."), found.topics.map(topicOf)];
}

export function archivePart(name) {
  const place = element("div", {}, element("p", { class: "faint" }, "Looking …"));
  let asked = 0;
  async function update() {
    if (Date.now() - asked < AGAIN_MS) return;
    asked = Date.now();
    try { refill(place, content(await ask(path("ui", "archive", name)))); } catch (error) { refill(place, content({ problem: error.message })); }
  }
  return { node: element("section", {}, element("h2", {}, "Archive"), place), update };
}
