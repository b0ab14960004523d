// Puts a connector's keys in the order in which one thinks: what, from where, to where, how. Pure; knows no page.

export const SECTIONS = [
  ["what", "What", "Which kind of connector, and its name."],
  ["from", "From where", "What it reads."],
  ["to", "To where", "Where it writes."],
  ["how", "How", "What becomes of each record, when files close, and what happens when something fails."],
];

const WORDS = {
  "streamsink.ArchiveSink": "Archive topics",
  "streamsink.ArchiveSource": "Replay an archive into topics",
  "streamsink.DatabaseSource": "Snapshots of a database",
};
const TITLES = {
  Common: "More about the connector", Store: "Store, in the words of Confluent's sinks", Confluent: "More of Confluent's words", Aiven: "Aiven's words", Lenses: "Lenses' words",
  "Replay: sources only": "Replay", "Database: its source only": "Database", "Without effect": "Taken, without effect",
};
const SECTION_OF_KEY = {
  name: "what", "connector.class": "what",
  "source.topics": "from", "database.url": "from", "database.tables": "from",
  "target.topic": "to", "topic.prefix": "to", "create.topic": "to", "replay.partitions": "to", "allow.same.topic": "to", "allow.target.changes": "to",
};
const STORED = /^(Archive|Store|Confluent|Aiven|Lenses)/;
const REGISTRY = /\.schema\.registry\.url$/;
const VENDOR = /^(Store|Confluent|Aiven|Lenses|Without effect)/;
const STORES = [[/s3/i, /^(gcs|azblob|az)\./], [/gcs/i, /^(s3|aws|azblob|az)\.|^store\.url$/], [/azure/i, /^(s3|aws|gcs)\.|^store\.url$/]];
export const OPTION = "archive.option.";

export const wordsOf = (className) => WORDS[className] || className.split(".").at(-1).replace(/Connector$/, "").replace(/([a-z0-9])([A-Z])/g, "$1 $2");
export const titleOf = (group) => TITLES[group] || group || "More";

export function sectionOf(key, type) {
  if (SECTION_OF_KEY[key.name]) return SECTION_OF_KEY[key.name];
  if (key.group === "Common") return "what";
  if (key.group === "Topics") return "from";
  if (STORED.test(key.group || "")) return type === "sink" ? "to" : "from";
  return "how";
}

// Whether a key is shown before one asks for more.
export function isImportant(key, className, given) {
  if (key.required || given.has(key.name)) return true;
  if (key.importance !== "HIGH" || REGISTRY.test(key.name)) return false;
  if (!VENDOR.test(key.group || "")) return true;
  if (className.startsWith("streamsink.")) return false;
  return !STORES.some(([store, others]) => store.test(className) && others.test(key.name));
}

// Sections with their important keys, and the rest by group.
export function arrange(keys, type, className, given) {
  const sections = new Map(SECTIONS.map(([id, title, about]) => [id, { id, title, about, first: [], groups: new Map() }]));
  for (const key of keys) {
    const section = sections.get(sectionOf(key, type));
    if (isImportant(key, className, given)) section.first.push(key);
    else section.groups.set(key.group, [...(section.groups.get(key.group) || []), key]);
  }
  return [...sections.values()];
}

export const schemeOf = (url) => /^([a-z][a-z0-9+]*):\/\//i.exec(url || "")?.[1].toLowerCase() || "";
