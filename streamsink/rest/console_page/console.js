// The console: asks /ui/state each two seconds and shows the view that the address names. Decides nothing.

import { connectorView } from "./connector.js";
import { formView } from "./form.js";
import { listView } from "./list.js";
import { element, tell } from "./page.js";
import { remember } from "./plots.js";
import { ask } from "./rest.js";

const POLL_MS = 2000;
const main = document.getElementById("main");
let state = null, view = null, shown = null;

async function made(kind, name) {
  if (kind === "new" || kind === "edit") {
    if (!state.writable) return { node: element("p", {}, "This worker takes no orders from the console: console.writable is not true."), update: () => {} };
    return formView(kind === "edit" ? name : null, refresh);
  }
  return kind === "connector" ? connectorView(name, state, refresh) : listView();
}

async function render(moved = false) {
  if (!state) return;
  const route = window.location.hash || "#/";
  const [, kind, name] = route.match(/^#\/(connector|new|edit)?\/?(.*)$/) || [];
  if (route !== shown || view?.isOver?.(state)) {
    shown = route;
    try {
      const next = await made(kind, decodeURIComponent(name || ""));
      if (route !== shown) return;
      view = next;
      view.update(state);
      main.replaceChildren(view.node);
    } catch (error) { shown = null; tell(error.message); }
    if (moved) { main.focus(); window.scrollTo(0, 0); }
  } else view?.update(state);
}

async function refresh() {
  try {
    state = await ask("/ui/state");
    tell(state.trouble || "");
    remember(state.connectors, Date.now());
    document.getElementById("worker").textContent = `${state.worker_id} · ${state.version}`;
    document.getElementById("new").hidden = !state.writable;
  } catch (error) { tell(`The worker does not answer: ${error.message}`); }
  await render();
}

window.addEventListener("hashchange", () => render(true));
await refresh();
setInterval(refresh, POLL_MS);
