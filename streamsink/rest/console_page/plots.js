// Keeps the last ten minutes of each connector and draws them. Asks nobody.

import { element } from "./page.js";

const KEPT = 300;
const history = new Map();

export function remember(connectors, now) {
  for (const connector of connectors) {
    const kept = history.get(connector.name) || [];
    const last = kept.at(-1);
    const seconds = last ? (now - last.at) / 1000 : 0;
    const rate = (key) => (seconds > 0 && connector[key] >= last[key] ? (connector[key] - last[key]) / seconds : 0);
    kept.push({
      at: now, lag: connector.lag, oldest: connector.oldest_unstored_s,
      records_total: connector.records_total, bytes_total: connector.bytes_total,
      records: rate("records_total"), bytes: rate("bytes_total"),
    });
    history.set(connector.name, kept.slice(-KEPT));
  }
}

export const rateOf = (name, key) => history.get(name)?.at(-1)?.[key] ?? 0;

function drawn(kind, d) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("class", kind);
  path.setAttribute("d", d);
  return path;
}

export function plot(title, name, key, show) {
  const points = (history.get(name) || []).map((point) => point[key] ?? 0);
  const top = Math.max(...points, 1e-9);
  const at = points.map((value, index) => [(index / Math.max(points.length - 1, 1)) * 100, 38 - (value / top) * 34]);
  const path = at.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join("");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${title}: now ${show(points.at(-1))}, at most ${show(top)} in the last minutes`);
  const base = "M0,38L100,38";
  svg.append(drawn("base", base), ...(points.length ? [drawn("area", `${path}L100,38L0,38Z`), drawn("line", path)] : []));
  return element("figure", {}, element("figcaption", {}, title, element("b", {}, show(points.at(-1)))), svg);
}
