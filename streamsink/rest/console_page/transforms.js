// Makes the fields of transforms and predicates, alias by alias, from the plugins' definitions. Sends nothing.

import { fieldOf } from "./field.js";
import { element, folded } from "./page.js";
import { ask, path } from "./rest.js";

const KINDS = [["transforms", "transformation", "Transform"], ["predicates", "predicate", "Predicate"]];
const REST_MS = 400;
const definitions = new Map();

const aliasesOf = (text) => text.split(",").map((each) => each.trim()).filter(Boolean);

async function keysOf(className) {
  if (!definitions.has(className)) {
    try { definitions.set(className, await ask(`${path("connector-plugins", className)}/config`)); } catch { return []; }
  }
  return definitions.get(className);
}

const plain = (name, type, documentation, extra = {}) => ({ name, type, documentation, display_name: "", default_value: null, required: false, recommended_values: [], importance: "HIGH", group: "", ...extra });

function typeKey(prefix, kind, plugins) {
  const classes = plugins.filter((each) => each.type === kind).map((each) => each.class);
  return plain(`${prefix}type`, "CLASS", "Which class it is.", { recommended_values: [...new Set(classes)], required: true });
}

// A place with a block for each alias; `make(key)` makes and remembers a field, `forget(names)` drops some, `done` hears of the end.
export function transformsPart(draft, plugins, make, forget, done) {
  const node = element("div");
  let drawing = 0, timer = null;

  async function block(list, kind, title, alias) {
    const prefix = `${list}.${alias}.`;
    const keys = [typeKey(prefix, kind, plugins)];
    if (list === "transforms") {
      keys.push(plain(`${prefix}predicate`, "STRING", "Alias of the predicate that decides which records it sees; all if empty."),
        plain(`${prefix}negate`, "BOOLEAN", "Whether it sees the records that the predicate does not match.", { default_value: "false" }));
    }
    const className = draft.get(`${prefix}type`);
    const more = className ? await keysOf(className) : [];
    keys.splice(1, 0, ...more.map((key) => ({ ...key, name: `${prefix}${key.name}`, display_name: "", recommended_values: [] })));
    return { title: `${title} ${alias}`, keys, prefix };
  }

  async function update() {
    const mine = (drawing += 1);
    const wanted = KINDS.flatMap(([list, kind, title]) => aliasesOf(draft.get(list)).map((alias) => block(list, kind, title, alias)));
    const blocks = await Promise.all(wanted);
    if (mine !== drawing) return;
    const active = node.contains(document.activeElement) ? document.activeElement.id : null;
    forget((name) => /^(transforms|predicates)\../.test(name));
    node.replaceChildren(...blocks.map(({ title, keys, prefix }) => {
      draft.define(keys.slice(1));
      const part = folded(prefix, title, keys.map((key) => make(key, key.name.endsWith(".type") ? later : null).node));
      part.open = true;
      return part;
    }));
    if (active) document.getElementById(active)?.focus();
    done();
  }

  // Once nobody has typed for a moment.
  function later() { clearTimeout(timer); timer = setTimeout(update, REST_MS); }
  return { node, update, later };
}

export const decidesTransforms = (name) => name === "transforms" || name === "predicates";

// `fieldOf` of a key that only a prefix defines.
export const freeField = (name, change) => fieldOf(plain(name, "STRING", "No definition is known of it here; it is sent as it is."), change);
