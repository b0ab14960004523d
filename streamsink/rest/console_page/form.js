// The form that makes or edits a connector of any class, with every key. Joins fields, checks and JSON.

import { checker } from "./check.js";
import { Draft } from "./draft.js";
import { fieldOf } from "./field.js";
import { arrange, OPTION, schemeOf, titleOf, wordsOf } from "./keys.js";
import { element, folded } from "./page.js";
import { ask, path } from "./rest.js";
import { plural } from "./text.js";
import { decidesTransforms, freeField, transformsPart } from "./transforms.js";
import { verdictPart } from "./verdict.js";

const OPTIONS_FIRST = 5;
const FIRST_CLASS = "streamsink.ArchiveSink";

class ConnectorForm {
  constructor(plugins, stores, draft, editing, refresh) {
    Object.assign(this, { plugins, stores, draft, editing, refresh, fields: new Map(), scheme: null, touched: Boolean(editing) });
    this.verdict = verdictPart(editing ? "Save" : "Create");
    this.transforms = transformsPart(draft, plugins, (key, then) => this.make(key, then), (which) => this.forget(which), () => this.showOthers());
    this.options = element("div");
    this.others = element("div");
    this.sections = element("div");
    this.about = element("div");
    this.changed = checker({
      config: () => draft.config(),
      pending: () => this.verdict.pending(),
      trouble: (message) => this.verdict.trouble(message),
      show: (report, current) => this.judge(report, current),
    });
    this.json = this.jsonPart();
    this.node = this.page();
  }

  get type() { return this.plugins.find((each) => each.class === this.draft.get("connector.class"))?.type || "sink"; }

  forget(which) {
    for (const name of [...this.fields.keys()]) if (which(name)) this.fields.delete(name);
  }

  make(key, then = null) {
    const field = fieldOf(key, (text) => { this.typed(key.name, text); if (text) then?.(); });
    field.set(this.draft.get(key.name));
    this.fields.set(key.name, field);
    return field;
  }

  typed(name, text) {
    this.touched = true;
    this.draft.put(name, text);
    if (name === "archive.url") this.showOptions();
    if (decidesTransforms(name)) this.transforms.later();
    this.showJson();
    this.changed();
  }

  // Asks for the keys of the chosen class, and lays out its fields.
  async load() {
    const className = this.draft.get("connector.class");
    const report = await ask(`${path("connector-plugins", className)}/config/validate`, { method: "PUT", body: { "connector.class": className } });
    const keys = report.configs.filter((each) => each.definition.group).map((each) => ({ ...each.definition, recommended_values: each.value.recommended_values }));
    this.draft.keys.clear();
    this.draft.define(keys);
    this.draft.define(Object.values(this.stores).flat());
    this.layOut(keys.filter((key) => !["name", "connector.class"].includes(key.name)));
    await this.transforms.update();
    this.showJson();
    if (this.touched) this.changed();
  }

  layOut(keys) {
    this.fields.clear();
    this.fields.set("name", this.name);
    this.scheme = null;
    const parts = arrange(keys, this.type, this.draft.get("connector.class"), this.draft.given);
    this.about.replaceChildren();
    this.sections.replaceChildren(...parts.map((part) => this.section(part)).filter(Boolean));
    this.showOptions();
    this.sections.dataset.class = this.draft.get("connector.class");
  }

  section({ id, title, about, first, groups }) {
    const fields = first.map((key) => this.make(key).node);
    const stores = fields.length && first.some((key) => key.name === "archive.url") ? [this.options] : [];
    const more = [...groups].map(([group, keys]) => folded(`group-${id}-${group}`, `${titleOf(group)} (${plural(keys.length, "key")})`, keys.map((key) => this.make(key).node)));
    const how = id === "how" ? [this.transforms.node, this.others] : [];
    if (id === "what") { this.about.replaceChildren(...fields, ...more); return null; }
    if (!fields.length && !more.length) return null;
    return element("section", { class: "part", "aria-labelledby": `part-${id}` },
      element("h2", { id: `part-${id}` }, title), element("p", { class: "faint" }, about), fields, stores, more, how);
  }

  // The store's options follow from the scheme of its URL.
  showOptions() {
    const scheme = schemeOf(this.draft.get("archive.url"));
    if (scheme === this.scheme) return;
    this.scheme = scheme;
    this.forget((name) => name.startsWith(OPTION));
    const keys = this.stores[scheme] || [];
    const given = (key) => this.draft.given.has(key.name);
    const first = keys.filter((key, index) => index < OPTIONS_FIRST || given(key)), rest = keys.filter((key) => !first.includes(key));
    const shown = (key) => this.make(key).node;
    this.options.replaceChildren(...(keys.length ? [element("h3", {}, `Options of ${scheme}:// stores`), ...first.map(shown),
      rest.length ? folded("options", `More options of the store (${plural(rest.length, "key")})`, rest.map(shown)) : ""] : []));
    this.showOthers();
  }

  // Keys that no definition names: of Kafka's clients, of plugins, or misspelt.
  showOthers() {
    const known = (name) => ["name", "connector.class"].includes(name) || (this.fields.has(name) && !this.fields.get(name).free);
    const names = [...this.draft.given.keys()].filter((name) => !known(name));
    const rows = names.map((name) => {
      const field = freeField(name, (text) => this.typed(name, text));
      field.free = true;
      field.set(this.draft.get(name));
      this.fields.set(name, field);
      return field.node;
    });
    const key = element("input", { id: "other-key", autocomplete: "off", spellcheck: "false", placeholder: "consumer.override.fetch.min.bytes" });
    const value = element("input", { id: "other-value", autocomplete: "off", spellcheck: "false" });
    const add = element("button", { type: "button", onclick: () => {
      if (!key.value.trim()) { key.focus(); return; }
      this.typed(key.value.trim(), value.value);
      this.showOthers();
    } }, "Add key");
    const part = folded("others", `Other keys${names.length ? ` (${names.length} given)` : ""}`, element("p", { class: "faint" }, "Keys of Kafka's clients (consumer.override.…, producer.override.…), of converters and of plugins."), rows,
      element("div", { class: "adder" }, element("label", { for: "other-key" }, "Key"), key, element("label", { for: "other-value" }, "Value"), value, add));
    part.open = names.length > 0;
    this.others.replaceChildren(part);
  }

  judge(report, current) {
    const others = [];
    const errors = new Map(report.configs.map(({ value }) => [value.name, value.errors]));
    for (const [name, field] of this.fields) field.judge(errors.get(name) || []);
    for (const [name, told] of errors) {
      const field = this.fields.get(name);
      if (!field && told.length) others.push(...told.map((each) => `${name}: ${each}`));
      for (let at = told.length ? field?.node.closest("details") : null; at; at = at.parentElement.closest("details")) at.open = true;
    }
    this.verdict.show(report, others, current, (name) => this.jump(name));
  }

  jump(name) {
    const field = this.fields.get(name);
    if (field) { field.node.scrollIntoView({ block: "center" }); field.focus(); }
  }

  showJson() {
    if (document.activeElement !== this.json.area) this.json.area.value = this.draft.shown();
  }

  // Both ways: shows what would be sent, and fills the form with what is pasted.
  jsonPart() {
    const said = element("p", { class: "bad", role: "status" });
    const fill = async () => {
      try {
        this.draft.take(area.value);
        if (this.editing) this.draft.put("name", this.editing);
        else this.name.set(this.draft.get("name"));
        if (!this.draft.get("connector.class")) this.draft.put("connector.class", this.kind.value);
        this.chooseClass(this.draft.get("connector.class"));
        said.textContent = "";
        this.touched = true;
        await this.load();
      } catch (error) { said.textContent = error.message; this.verdict.say("The JSON above fills no form yet.", "bad"); }
    };
    let timer = null;
    const area = element("textarea", { id: "json", rows: "12", spellcheck: "false", autocomplete: "off", "aria-describedby": "json-about",
      oninput: () => { this.verdict.pending(); clearTimeout(timer); timer = setTimeout(fill, 400); }, onblur: () => { if (!said.textContent) this.showJson(); } });
    const node = folded("json", "As JSON", element("label", { for: "json" }, "Configuration as JSON"),
      element("p", { class: "faint", id: "json-about" }, "What is sent, defaults left out. Paste a connector of Kafka Connect, Confluent's or Aiven's, and it fills the form."), area, said);
    return { node, area };
  }

  chooseClass(className) {
    if (![...this.kind.options].some((each) => each.value === className)) this.kind.append(element("option", { value: className }, className));
    this.kind.value = className;
  }

  page() {
    const key = (name, documentation, rest) => ({ name, documentation, type: "STRING", display_name: "", recommended_values: [], default_value: null, required: true, ...rest });
    this.name = fieldOf(key("name", "What it is called, in the worker and as its consumer group."), (text) => this.typed("name", text));
    this.name.set(this.draft.get("name"));
    const choices = (type) => this.plugins.filter((each) => each.type === type).sort((one, other) => other.class.startsWith("streamsink.") - one.class.startsWith("streamsink."))
      .map((each) => element("option", { value: each.class }, `${wordsOf(each.class)} (${each.class})`));
    this.kind = element("select", { id: "key-connector.class", onchange: () => {
      this.draft.put("connector.class", this.kind.value);
      this.load().catch((error) => this.verdict.trouble(error.message));
    } }, element("optgroup", { label: "From topics into an archive" }, choices("sink")), element("optgroup", { label: "Into topics" }, choices("source")));
    this.chooseClass(this.draft.get("connector.class"));
    if (this.editing) { this.kind.disabled = true; this.name.node.querySelector("input").disabled = true; }
    this.first = element("select", { id: "initial-state" }, [["RUNNING", "run at once"], ["PAUSED", "be paused"], ["STOPPED", "be stopped"]].map(([value, text]) => element("option", { value }, text)));
    const first = this.editing ? null : [element("label", { for: "initial-state" }, "Then"), this.first];
    return element("div", {}, element("h1", {}, this.editing ? `Edit ${this.editing}` : "New connector"),
      element("form", { novalidate: true, onsubmit: (event) => { event.preventDefault(); this.send(); } }, this.json.node,
        element("section", { class: "part", "aria-labelledby": "part-what" }, element("h2", { id: "part-what" }, "What"),
          element("div", { class: "field" }, element("label", { for: "key-connector.class" }, "Kind of connector ", element("code", {}, "connector.class")), this.kind), this.name.node, this.about),
        this.sections, this.verdict.notes,
        element("div", { class: "bar" }, this.verdict.line, element("div", { class: "actions" }, first, this.verdict.submit))));
  }

  async send() {
    if (this.verdict.submit.disabled) return;
    const { name, ...config } = this.draft.config();
    this.verdict.submit.disabled = true;
    this.verdict.say(this.editing ? "Saving …" : "Creating …", "faint");
    try {
      if (this.editing) await ask(`${path("connectors", name)}/config`, { method: "PUT", body: { name, ...config } });
      else await ask("/connectors", { method: "POST", body: { name, config, initial_state: this.first.value } });
      await this.refresh();
      window.location.hash = `#/connector/${encodeURIComponent(name)}`;
    } catch (error) { this.verdict.say(error.message, "bad"); this.verdict.submit.disabled = false; }
  }
}

export async function formView(editing, refresh) {
  const [plugins, stores, config] = await Promise.all([
    ask("/connector-plugins?connectorsOnly=false"), ask("/ui/stores"), editing ? ask(`${path("connectors", editing)}/config`) : null]);
  const draft = new Draft();
  for (const [name, value] of Object.entries(config || { "connector.class": FIRST_CLASS })) draft.given.set(name, value);
  if (editing) draft.given.set("name", editing);
  const form = new ConnectorForm(plugins, stores, draft, editing, refresh);
  await form.load();
  return { node: form.node, update: () => {} };
}
