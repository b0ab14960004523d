// Gives a connector's orders to Connect's REST and shows each answer. Made only where the worker takes orders.

import { element } from "./page.js";
import { ask, path } from "./rest.js";

const RESTING = ["PAUSED", "STOPPED"];

// A place for answers, read out as they come.
export function answerPlace() {
  const node = element("p", { class: "answer", role: "status" });
  const say = (text, kind = "") => { node.className = `answer ${kind}`; node.textContent = text; };
  return { node, say };
}

// Does one thing, tells how it went, and keeps the button from being pressed twice.
export async function carryOut(button, say, what, act) {
  button.disabled = true;
  say(`${what} …`);
  try { say(await act(), "good"); return true; } catch (error) { say(error.message, "bad"); return false; } finally { button.disabled = false; }
}

// Asks for a name to be typed before something that can't be taken back.
export function typedName(title, name, text, verb, act) {
  const id = `typed-${verb.toLowerCase().replaceAll(" ", "-")}`;
  const input = element("input", { id, autocomplete: "off", spellcheck: "false", oninput: () => { sure.disabled = input.value !== name; } });
  const sure = element("button", { class: "danger", type: "submit", disabled: true }, verb);
  const dialog = element("dialog", { "aria-labelledby": `${id}-title` },
    element("form", { method: "dialog", onsubmit: (event) => { if (input.value !== name) event.preventDefault(); else act(); } },
      element("h2", { id: `${id}-title` }, title), element("p", {}, text),
      element("label", { for: id }, "Type its name, ", element("code", {}, name)), input,
      element("div", { class: "actions" }, sure, element("button", { type: "button", onclick: () => dialog.close() }, "Leave it"))));
  return { dialog, open: () => { input.value = ""; sure.disabled = true; dialog.showModal(); input.focus(); } };
}

export function ordersPart(name, refresh) {
  const at = path("connectors", name);
  const answer = answerPlace();
  const buttons = [];
  const give = (text, method, order, said, useful) => {
    const button = element("button", { type: "button", onclick: async () => {
      await carryOut(button, answer.say, text, async () => (await ask(`${at}${order}`, { method }))?.message || said);
      await refresh();
    } }, text);
    buttons.push([button, useful]);
    return button;
  };
  const remove = typedName(`Delete connector ${name}?`, name, "Its configuration goes. What it has stored stays, and so does its consumer group.", "Delete for good", async () => {
    if (await carryOut(deletes, answer.say, "Deleting", async () => { await ask(at, { method: "DELETE" }); return "Deleted."; })) window.location.hash = "#/";
    await refresh();
  });
  const deletes = element("button", { type: "button", class: "danger", onclick: remove.open }, "Delete");
  const node = element("section", { "aria-label": "Orders" }, element("div", { class: "actions" },
    give("Store now", "POST", "/flush", "All that it had read is stored and committed.", (state, type) => type === "sink" && !RESTING.includes(state)),
    give("Pause", "PUT", "/pause", "It is told to pause: its tasks store and commit what they have read, then rest.", (state) => !RESTING.includes(state)),
    give("Resume", "PUT", "/resume", "It is told to run.", (state) => RESTING.includes(state)),
    give("Stop", "PUT", "/stop", "It is told to stop. Once its tasks have ended, its offsets may be changed.", (state) => state !== "STOPPED"),
    give("Restart", "POST", "/restart?includeTasks=true", "It is told to restart, with all its tasks.", (state) => state !== "STOPPED"),
    element("a", { class: "button", href: `#/edit/${encodeURIComponent(name)}` }, "Edit"), deletes), answer.node, remove.dialog);
  const update = (connector) => {
    for (const [button, useful] of buttons) if (document.activeElement !== button) button.disabled = !useful(connector.state, connector.type);
  };
  return { node, update, restartTask: (id) => taskButton(at, id, answer.say, refresh) };
}

function taskButton(at, id, say, refresh) {
  const button = element("button", { type: "button", "data-focus": `restart-${id}`, "aria-label": `Restart task ${id}`, onclick: async () => {
    await carryOut(button, say, `Restarting task ${id}`, async () => { await ask(`${at}/tasks/${id}/restart`, { method: "POST" }); return `Task ${id} is told to restart.`; });
    await refresh();
  } }, "Restart");
  return button;
}
