// Makes a secret's field: where the secret is kept, and its name there. Shows no secret that is written out.

import { element } from "./page.js";

const HIDDEN = "[hidden]";
const WHY = "A reference keeps the secret out of files, logs and answers; the worker looks it up when a task starts.";
const KINDS = {
  "": ["not set", "", ""],
  env: ["in an environment variable of the worker", "S3_SECRET", WHY],
  file: ["in a properties file beside the worker", "/etc/secrets.properties:key", `${WHY} Path, colon, key.`],
  directory: ["in a folder with one file a secret", "/run/secrets:name", `${WHY} Folder, colon, file, as Kubernetes mounts them.`],
  text: ["written out here", "", "It is kept as it is in the connector's file, and the console can't look at the archive then. Better a reference."],
  kept: ["as it is stored now (hidden)", "", "It stays as it is. The worker never shows it."],
};
const REFERENCE = /^\$\{(env|file|directory):([^}]*)\}$/;

export function secretControl(id, key, change) {
  const why = element("small", { class: "why" });
  const input = element("input", { id, autocomplete: "off", spellcheck: "false", oninput: () => change(value()) });
  const kind = element("select", { "aria-label": `Where ${key.name} is kept`, onchange: () => { if (kind.value !== "kept") input.value = ""; show(); change(value()); } },
    Object.entries(KINDS).map(([id, [title]]) => element("option", { value: id, hidden: id === "kept" }, title)));

  function value() {
    if (kind.value === "kept") return HIDDEN;
    if (!input.value || !kind.value) return "";
    return kind.value === "text" ? input.value : `\${${kind.value}:${input.value}}`;
  }

  function show() {
    const [, example, words] = KINDS[kind.value];
    input.type = kind.value === "text" ? "password" : "text";
    input.placeholder = example;
    input.disabled = ["", "kept"].includes(kind.value);
    why.textContent = words;
  }

  function set(text) {
    const found = REFERENCE.exec(text);
    kind.value = found ? found[1] : text === HIDDEN ? "kept" : text ? "text" : "";
    kind.querySelector("[value=kept]").hidden = text !== HIDDEN;
    input.value = found ? found[2] : text === HIDDEN ? "" : text;
    show();
  }
  set("");
  return { node: element("span", { class: "secret" }, kind, input, why), input, set };
}
