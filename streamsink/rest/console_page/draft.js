// Holds the configuration that a form is making: what was given, key by key. Reads and writes JSON; knows no page.

const HIDDEN = "[hidden]";
const REFERENCE = /\$\{[A-Za-z][\w-]*:[^}]*\}/g;

export class Draft {
  constructor() {
    this.given = new Map();
    this.keys = new Map();
  }

  // The definitions by which defaults and secrets are known.
  define(keys) {
    for (const key of keys) this.keys.set(key.name, key);
  }

  get(name) { return this.given.get(name) ?? ""; }

  put(name, text) {
    if (text === "") this.given.delete(name);
    else this.given.set(name, text);
  }

  // What is sent: keys that differ from their defaults. Name and class always go.
  config() {
    const always = ["name", "connector.class"];
    const differs = ([name, value]) => {
      const key = this.keys.get(name);
      return always.includes(name) || !key || value !== (key.default_value ?? "");
    };
    return Object.fromEntries([...this.given].filter(differs));
  }

  isSecret(name) { return this.keys.get(name)?.type === "PASSWORD" || /(password|secret|token|passphrase|credentials)$/i.test(name); }

  // The same for people to see: secrets that are written out read [hidden].
  shown() {
    const { name = "", ...config } = this.config();
    for (const [key, value] of Object.entries(config)) {
      if (this.isSecret(key) && value.replaceAll(REFERENCE, "").trim()) config[key] = HIDDEN;
    }
    return JSON.stringify({ name, config }, null, 2);
  }

  // Takes what somebody pasted: {"name", "config"} as one POSTs it, or the flat map alone.
  take(text) {
    let found;
    try { found = JSON.parse(text); } catch (error) { throw new Error(`This is not JSON: ${error.message}`); }
    const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
    if (!isMap(found)) throw new Error("A connector is an object, as {\"name\": …, \"config\": {…}}.");
    const config = isMap(found.config) ? { ...(found.name ? { name: found.name } : {}), ...found.config } : found;
    const given = new Map();
    for (const [key, value] of Object.entries(config)) {
      if (value === null) continue;
      if (typeof value === "object") throw new Error(`${key} is not a text, a number or a boolean.`);
      given.set(key, value === HIDDEN ? this.given.get(key) ?? HIDDEN : String(value));
    }
    this.given = given;
  }
}
