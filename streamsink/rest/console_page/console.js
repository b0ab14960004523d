// The console: shows what /ui/state tells, and gives Connect's REST the orders. Keeps the last ten minutes for plots.

const POLL_MS = 2000, KEPT = 300;
const main = document.getElementById("main");
const history = new Map();
let state = null, shown = null, catalogue = null;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

const number = new Intl.NumberFormat("en");
const count = (value) => (value === null || value === undefined ? "–" : number.format(Math.round(value)));

function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) { value /= 1000; at += 1; }
  return `${at ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

function age(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { headers: { Accept: "application/json", "Content-Type": "application/json" }, ...options });
  const text = await answer.text();
  let body = null;
  try { body = text ? JSON.parse(text) : null; } catch { body = { message: text }; }
  if (!answer.ok) throw new Error(body?.message || `${answer.status} ${answer.statusText}`);
  return body;
}

function tell(problem) {
  const place = document.getElementById("trouble");
  place.hidden = !problem;
  place.textContent = problem || "";
}

function remember(now) {
  for (const connector of state.connectors) {
    const kept = history.get(connector.name) || [];
    const last = kept.at(-1);
    const seconds = last ? (now - last.at) / 1000 : 0;
    const rate = (key) => (last && connector[key] >= last[key] ? (connector[key] - last[key]) / seconds : 0);
    kept.push({
      at: now, lag: connector.lag, oldest: connector.oldest_unstored_s,
      records_total: connector.records_total, bytes_total: connector.bytes_total,
      records: rate("records_total"), bytes: rate("bytes_total"),
    });
    history.set(connector.name, kept.slice(-KEPT));
  }
}

function plot(title, name, key, show) {
  const points = (history.get(name) || []).map((point) => point[key] ?? 0);
  const top = Math.max(...points, 1e-9);
  const at = points.map((value, index) => [(index / Math.max(points.length - 1, 1)) * 100, 38 - (value / top) * 34]);
  const path = at.map(([x, y], index) => `${index ? "L" : "M"}${x.toFixed(2)},${y.toFixed(2)}`).join("");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${title}: now ${show(points.at(-1))}, at most ${show(top)} in the last minutes`);
  for (const [kind, d] of [["base", "M0,38L100,38"], ["area", `${path}L100,38L0,38Z`], ["line", path]]) {
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "path");
    drawn.setAttribute("class", kind);
    drawn.setAttribute("d", points.length ? d : "M0,38L100,38");
    svg.append(drawn);
  }
  return element("figure", {}, element("figcaption", {}, title, element("b", {}, show(points.at(-1)))), svg);
}

const stateOf = (value) => element("span", { class: `state ${value}` }, value);
const find = (name) => state.connectors.find((each) => each.name === name);
const rateOf = (name, key) => history.get(name)?.at(-1)?.[key] ?? 0;

function table(head, rows, kind = "") {
  const cells = (row) => row.map((cell, index) => element("td", { class: head[index].number ? "number" : null, "data-label": head[index].text }, cell));
  return element("div", { class: "wide" }, element("table", { class: kind },
    element("thead", {}, element("tr", {}, head.map((each) => element("th", { scope: "col", class: each.number ? "number" : null }, each.text)))),
    element("tbody", {}, rows.map((row) => element("tr", {}, cells(row))))));
}

function showList() {
  const rows = state.connectors.map((each) => [
    element("a", { href: `#/connector/${encodeURIComponent(each.name)}` }, each.name),
    stateOf(each.tasks.some((task) => task.state === "FAILED") ? "FAILED" : each.state),
    `${each.tasks.filter((task) => task.state === "RUNNING").length} of ${each.tasks.length}`,
    `${count(rateOf(each.name, "records"))}/s`, `${bytes(rateOf(each.name, "bytes"))}/s`,
    count(each.lag), age(each.oldest_unstored_s), each.retrying || each.reason || "",
  ]);
  const head = [{ text: "Connector" }, { text: "State" }, { text: "Tasks running" }, { text: "Records", number: true }, { text: "Bytes", number: true },
    { text: "Lag", number: true }, { text: "Oldest not stored", number: true }, { text: "Trouble" }];
  return [element("h1", {}, "Connectors"), rows.length ? table(head, rows, "cards") : element("p", {}, "No connector is defined."), ...troubles(state.connectors)];
}

function troubles(connectors) {
  const told = connectors.flatMap((each) => each.tasks.filter((task) => task.trace || task.retrying).map((task) => [`${each.name}-${task.id}`, task.state, task.retrying || task.trace]));
  if (!told.length) return [];
  return [element("h2", {}, "Recent errors"), ...told.map(([name, taskState, text]) => element("details", { open: taskState === "FAILED" },
    element("summary", {}, `${name}: ${text.split("\n")[0]}`), element("pre", {}, text)))];
}

function orders(connector) {
  if (!state.writable) return null;
  const at = `/connectors/${encodeURIComponent(connector.name)}`;
  const give = (text, method, path, sure) => element("button", {
    class: sure ? "danger" : null, type: "button",
    onclick: async (event) => {
      if (sure && !window.confirm(sure)) return;
      event.target.disabled = true;
      try { await ask(`${at}${path}`, { method }); tell(""); if (method === "DELETE") window.location.hash = "#/"; await refresh(); } catch (error) { tell(error.message); }
      event.target.disabled = false;
    },
  }, text);
  return element("div", { class: "actions" },
    give("Pause", "PUT", "/pause"), give("Resume", "PUT", "/resume"), give("Stop", "PUT", "/stop"),
    give("Restart", "POST", "/restart?includeTasks=true"), give("Store now", "POST", "/flush"),
    give("Delete", "DELETE", "", `Delete connector ${connector.name}? What it has stored stays.`));
}

function showConnector(name) {
  const connector = find(name);
  if (!connector) return [element("h1", {}, name), element("p", {}, "There is no such connector.")];
  const tasks = connector.tasks.map((task) => [String(task.id), stateOf(task.state), task.worker_id, count(task.records_total), count(task.objects_stored_total),
    count(task.lag), age(task.oldest_unstored_s), bytes(task.memory_bytes), String(task.restarts_total)]);
  const head = [{ text: "Task" }, { text: "State" }, { text: "Worker" }, { text: "Records", number: true }, { text: "Objects", number: true }, { text: "Lag", number: true },
    { text: "Oldest not stored", number: true }, { text: "Memory of files", number: true }, { text: "Restarts", number: true }];
  return [
    element("h1", {}, connector.name, " ", stateOf(connector.state)),
    connector.guarantee ? element("p", {}, connector.guarantee) : null, orders(connector),
    element("div", { class: "plots" },
      plot("Records a second", name, "records", count), plot("Bytes a second", name, "bytes", bytes),
      plot("Lag, in records", name, "lag", count), plot("Oldest record not stored", name, "oldest", age)),
    element("h2", {}, "Tasks"), table(head, tasks, "cards"), ...troubles([connector]),
    element("h2", {}, "Archive"), archiveOf(connector),
    element("h2", {}, "Configuration"),
    table([{ text: "Key" }, { text: "Value" }], Object.entries(connector.config).sort().map(([key, value]) => [element("code", {}, key), element("code", {}, value)])),
  ];
}

const archives = new Map();

function archiveOf(connector) {
  const known = archives.get(connector.name);
  if (!known) {
    archives.set(connector.name, { text: "Looking …" });
    ask(`/ui/archive/${encodeURIComponent(connector.name)}`).then(
      (found) => archives.set(connector.name, found.problem ? { text: found.problem, at: Date.now() } : { found, at: Date.now() }),
      (error) => archives.set(connector.name, { text: error.message, at: Date.now() }),
    ).then(() => render());
  } else if (known.at && Date.now() - known.at > 60000) archives.delete(connector.name);
  if (!known?.found) return element("p", { class: "faint" }, known?.text || "Looking …");
  const { topics, complete } = known.found;
  if (!topics.length) return element("p", { class: "faint" }, "Nothing is stored yet.");
  const head = [{ text: "Topic" }, { text: "Day (UTC)" }, { text: "Objects", number: true }, { text: "Records", number: true }, { text: "Bytes", number: true }, { text: "Offsets in no object", number: true }];
  const rows = topics.flatMap((topic) => [
    [element("b", {}, topic.topic), "all", count(topic.objects), count(topic.records), bytes(topic.bytes), count(topic.offsets_missing)],
    ...topic.days.map((day) => ["", day.day, count(day.objects), count(day.records), bytes(day.bytes), ""]),
  ]);
  return element("div", {}, complete ? null : element("p", { class: "faint" }, "The archive is large: only a part was looked at."), table(head, rows));
}

async function showNew() {
  const plugins = await ask("/connector-plugins");
  const choice = element("select", { id: "class" }, plugins.map((each) => element("option", { value: each.class }, each.class)));
  const name = element("input", { id: "name", required: true, autocomplete: "off", spellcheck: "false" });
  const fields = element("div", {}), verdict = element("p", { role: "status" });
  const inputs = new Map();
  const load = async () => {
    catalogue = await ask(`/connector-plugins/${encodeURIComponent(choice.value)}/config`);
    inputs.clear();
    const groups = Map.groupBy ? Map.groupBy(catalogue, (each) => each.group || "More") : catalogue.reduce((all, each) => all.set(each.group || "More", [...(all.get(each.group || "More") || []), each]), new Map());
    fields.replaceChildren(...[...groups].map(([group, keys], index) => element("details", { open: index === 0 || keys.some((key) => key.required) },
      element("summary", {}, group), keys.filter((key) => !["name", "connector.class"].includes(key.name)).map((key) => field(key, inputs)))));
  };
  choice.addEventListener("change", () => load().catch((error) => tell(error.message)));
  const config = () => Object.fromEntries([["name", name.value], ["connector.class", choice.value], ...[...inputs].filter(([, { input }]) => input.value !== "").map(([key, { input }]) => [key, input.value])]);
  const validate = async () => {
    const answer = await ask(`/connector-plugins/${encodeURIComponent(choice.value)}/config/validate`, { method: "PUT", body: JSON.stringify(config()) });
    const others = [];
    for (const { value } of answer.configs) {
      const known = inputs.get(value.name);
      if (known) known.error.textContent = value.errors.join("; ");
      else others.push(...value.errors.map((error) => `${value.name}: ${error}`));
      if (known && value.errors.length) known.input.closest("details").open = true;
    }
    verdict.className = answer.error_count ? "bad" : "good";
    verdict.textContent = answer.error_count ? `${answer.error_count} problem(s). ${others.join(" ")}` : answer.guarantee || "This configuration can be used.";
    return answer.error_count === 0;
  };
  const form = element("form", {
    onsubmit: async (event) => {
      event.preventDefault();
      try {
        if (!(await validate())) return;
        if (event.submitter?.value === "create") {
          await ask("/connectors", { method: "POST", body: JSON.stringify({ name: name.value, config: config() }) });
          await refresh();
          window.location.hash = `#/connector/${encodeURIComponent(name.value)}`;
        }
      } catch (error) { tell(error.message); }
    },
  },
  element("div", { class: "field" }, element("label", { for: "name" }, "name"), name),
  element("div", { class: "field" }, element("label", { for: "class" }, "connector.class"), choice), fields,
  element("div", { class: "actions" }, element("button", { value: "validate" }, "Validate"), element("button", { class: "primary", value: "create" }, "Create")), verdict);
  await load();
  return [element("h1", {}, "New connector"), form];
}

function field(key, inputs) {
  const id = `key-${key.name}`, list = key.recommended_values?.length ? `${id}-values` : null;
  const input = element("input", { id, list, type: key.type === "PASSWORD" ? "password" : "text", placeholder: key.default_value ?? "", autocomplete: "off", spellcheck: "false", "aria-describedby": `${id}-about` });
  const error = element("span", { class: "error", role: "alert" });
  inputs.set(key.name, { input, error });
  return element("div", { class: "field" }, element("label", { for: id }, `${key.name}${key.required ? " *" : ""}`), input,
    element("small", { id: `${id}-about` }, key.documentation || ""), error, list ? element("datalist", { id: list }, key.recommended_values.map((value) => element("option", { value }))) : null);
}

async function render(moved = false) {
  const route = window.location.hash || "#/";
  const [, kind, name] = route.match(/^#\/(connector|new)?\/?(.*)$/) || [];
  if (kind === "new") {
    if (shown === route) return;
    shown = route;
    try { main.replaceChildren(...(await showNew())); } catch (error) { tell(error.message); }
  } else if (state) {
    if (!moved && main.contains(document.activeElement) && document.activeElement.tagName === "BUTTON") return;
    const focused = main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const open = [...main.querySelectorAll("details[open] > summary")].map((each) => each.textContent);
    const parts = kind === "connector" ? showConnector(decodeURIComponent(name)) : showList();
    main.replaceChildren(...parts.filter(Boolean));
    main.querySelectorAll("details").forEach((each) => { if (open.includes(each.firstChild.textContent)) each.open = true; });
    if (focused) main.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    shown = route;
  }
  if (moved) main.focus();
}

async function refresh() {
  try {
    state = await ask("/ui/state");
    tell(state.trouble || "");
    remember(Date.now());
    document.getElementById("worker").textContent = `${state.worker_id} · ${state.version}`;
    document.getElementById("new").hidden = !state.writable;
  } catch (error) { tell(`The worker does not answer: ${error.message}`); }
  await render();
}

window.addEventListener("hashchange", () => render(true));
await refresh();
setInterval(refresh, POLL_MS);
