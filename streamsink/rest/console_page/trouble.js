// Says in words what is wrong with connectors and tasks, what can be done first, and what waits. Asks nobody.

import { element, folded } from "./page.js";
import { age, count, known, plural } from "./text.js";

// A failure: what can be done, what happened, and the trace folded.
export function failureOf(who, failure) {
  return element("section", { class: "failure", "aria-label": `Failure of ${who}` },
    failure.hint ? element("p", { class: "hint" }, element("b", {}, "What to do: "), failure.hint, ".") : null,
    element("p", {}, element("b", {}, `${who}: `), failure.message),
    failure.trace ? folded(`trace-${who}`, `Trace${failure.error_class ? ` of ${failure.error_class}` : ""}`, element("pre", { tabindex: "0" }, failure.trace)) : null);
}

const sayings = (task) => [
  [task.stalled, "Stalled", "It reads or stores nothing although records wait"],
  [task.retrying, "Retrying", "It goes on by itself once this passes"],
  [task.warning, "Warning", "It runs all the same"],
].filter(([said]) => said);

// Everything that is wrong with one connector: failures first.
export function troublesOf(connector) {
  const failed = [];
  const whole = connector.failure;
  if (whole) failed.push(failureOf(connector.name, whole));
  for (const task of connector.tasks) {
    if (task.failure && task.failure.message !== whole?.message) failed.push(failureOf(`${connector.name}, task ${task.id}`, task.failure));
  }
  const said = connector.tasks.flatMap((task) => sayings(task).map(([text, title, meaning]) => element("p", { class: `saying ${title.toLowerCase()}` },
    element("b", {}, `${title}, task ${task.id}: `), text, ". ", element("span", { class: "faint" }, `${meaning}.`))));
  return [...failed, ...said];
}

// The first thing that is wrong, for one cell of a table.
export function troubleLine(connector) {
  const failures = [connector.failure, ...connector.tasks.map((task) => task.failure)].filter(Boolean);
  const said = connector.tasks.flatMap((task) => sayings(task).map(([text, title]) => `${title}: ${text}`));
  return failures.map((each) => each.message)[0] || said[0] || "";
}

// What is not stored yet, and when it will be.
export function waitingOf(connector) {
  const shown = connector.tasks.map((task) => task.progress).filter(Boolean);
  if (connector.type !== "sink" || !shown.length) return "";
  const files = shown.reduce((sum, each) => sum + each.open_files, 0);
  const nexts = shown.map((each) => each.next_close_ms).filter(known);
  const stored = shown.reduce((sum, each) => sum + each.objects_stored_total, 0);
  const commits = shown.map((each) => each.last_commit_age_ms).filter(known);
  const parts = [];
  if (connector.lag) parts.push(`${plural(connector.lag, "record")} ${connector.lag === 1 ? "is" : "are"} not stored yet${files ? `, some in ${plural(files, "open file")}` : ""}.`);
  else if (known(connector.lag)) parts.push("All that the topics hold is stored.");
  if (files) {
    parts.push(nexts.length ? `The next file closes in ${age(Math.max(0, Math.min(...nexts)) / 1000)}.`
      : "Files close by size or count only; “Store now” closes them at once.");
  }
  if (!stored) parts.push("No object has been stored since the tasks started.");
  if (commits.length) parts.push(`Last commit ${age(Math.min(...commits) / 1000)} ago.`);
  return parts.join(" ");
}

export const running = (connector) => `${count(connector.tasks.filter((task) => task.state === "RUNNING").length)} of ${connector.tasks.length}`;
