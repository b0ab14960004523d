// Shows one connector: what it does now, its trouble, tasks, offsets, archive and configuration. Joins the parts.

import { archivePart } from "./archive.js";
import { offsetsPart } from "./offsets.js";
import { ordersPart } from "./orders.js";
import { element, refill, stateOf, table } from "./page.js";
import { plot } from "./plots.js";
import { age, bytes, count } from "./text.js";
import { troublesOf, waitingOf } from "./trouble.js";

const TASKS = [{ text: "Task" }, { text: "State" }, { text: "Worker" }, { text: "Records", number: true }, { text: "Objects", number: true }, { text: "Lag", number: true },
  { text: "Oldest not stored", number: true }, { text: "Memory of files", number: true }, { text: "Restarts", number: true }];

function head(connector) {
  const waiting = waitingOf(connector);
  return [
    element("h1", {}, connector.name, " ", stateOf(connector.state)),
    connector.guarantee ? element("p", {}, connector.guarantee) : null,
    waiting ? element("p", { class: "waiting" }, waiting) : null,
    troublesOf(connector),
  ];
}

function tasks(connector, orders) {
  const rows = connector.tasks.map((task) => [String(task.id), stateOf(task.state), task.worker_id, count(task.records_total), count(task.objects_stored_total),
    count(task.lag), age(task.oldest_unstored_s), bytes(task.memory_bytes), String(task.restarts_total), ...(orders ? [orders.restartTask(task.id)] : [])]);
  return [element("h2", {}, "Tasks"), rows.length ? table(orders ? [...TASKS, { text: "Order" }] : TASKS, rows, { kind: "cards", label: "Tasks" })
    : element("p", { class: "faint" }, "It has none now.")];
}

function plots(name) {
  return element("div", { class: "plots" },
    plot("Records a second", name, "records", count), plot("Bytes a second", name, "bytes", bytes),
    plot("Lag, in records", name, "lag", count), plot("Oldest record not stored", name, "oldest", age));
}

function configuration(connector) {
  const rows = Object.entries(connector.config).sort().map(([key, value]) => [element("code", {}, key), element("code", {}, value)]);
  return [element("h2", {}, "Configuration"), table([{ text: "Key" }, { text: "Value" }], rows, { label: "Configuration" })];
}

export function connectorView(name, first, refresh) {
  const find = (state) => state.connectors.find((each) => each.name === name);
  const connector = find(first);
  if (!connector) return { node: element("div", {}, element("h1", {}, name), element("p", {}, "There is no such connector.")), update: () => {}, isOver: (state) => Boolean(find(state)) };
  const orders = first.writable ? ordersPart(name, refresh) : null;
  const offsets = offsetsPart(name, first.writable);
  const archive = connector.type === "sink" ? archivePart(name) : null;
  const live = { head: element("div"), plots: element("div"), tasks: element("div"), configuration: element("div") };
  const parts = [live.head, orders?.node, live.plots, live.tasks, archive?.node, offsets.node, live.configuration];
  function update(state) {
    const now = find(state);
    if (!now) { refill(live.head, [element("h1", {}, name), element("p", {}, "It has been deleted.")]); return; }
    refill(live.head, head(now));
    refill(live.plots, plots(name));
    refill(live.tasks, tasks(now, orders));
    refill(live.configuration, configuration(now));
    orders?.update(now);
    offsets.update(now);
    archive?.update();
  }
  return { node: element("div", {}, parts), update };
}
