// Shows all connectors in a table, and what is wrong with them. Gives no orders.

import { element, refill, stateOf, table } from "./page.js";
import { rateOf } from "./plots.js";
import { age, bytes, count } from "./text.js";
import { running, troubleLine, troublesOf } from "./trouble.js";

const HEAD = [{ text: "Connector" }, { text: "State" }, { text: "Tasks running" }, { text: "Records", number: true }, { text: "Bytes", number: true },
  { text: "Lag", number: true }, { text: "Oldest not stored", number: true }, { text: "Trouble" }];

const failed = (connector) => connector.tasks.some((task) => task.state === "FAILED");

function row(each) {
  return [
    element("a", { href: `#/connector/${encodeURIComponent(each.name)}` }, each.name),
    stateOf(failed(each) ? "FAILED" : each.state), running(each),
    `${count(rateOf(each.name, "records"))}/s`, `${bytes(rateOf(each.name, "bytes"))}/s`,
    count(each.lag), age(each.oldest_unstored_s), troubleLine(each),
  ];
}

function content(state) {
  if (!state.connectors.length) {
    return element("p", {}, "No connector is defined. ", state.writable ? element("a", { href: "#/new" }, "Make one") : "", state.writable ? "." : "");
  }
  const troubles = state.connectors.flatMap(troublesOf);
  return [table(HEAD, state.connectors.map(row), { kind: "cards", label: "Connectors" }),
    troubles.length ? [element("h2", {}, "Recent errors"), troubles] : null];
}

export function listView() {
  const place = element("div");
  return { node: element("div", {}, element("h1", {}, "Connectors"), place), update: (state) => refill(place, content(state)) };
}
