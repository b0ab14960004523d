// Puts numbers, times and sizes into words, and reads what people write. Touches no page.

const number = new Intl.NumberFormat("en");
const NONE = "–";
const TIMES = [["d", 86400000], ["h", 3600000], ["min", 60000], ["s", 1000], ["ms", 1]];
const SIZES = [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10], ["B", 1]];
const UNITS = {
  time: { ms: 1, s: 1000, m: 60000, min: 60000, h: 3600000, d: 86400000 },
  size: { b: 1, kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

export const known = (value) => value !== null && value !== undefined;
export const count = (value) => (known(value) ? number.format(Math.round(value)) : NONE);
export const plural = (many, one, more = `${one}s`) => `${count(many)} ${many === 1 ? one : more}`;

export function bytes(value) {
  if (!known(value)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) { value /= 1000; at += 1; }
  return `${at ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
}

export function age(seconds) {
  if (!known(seconds)) return NONE;
  if (seconds < 90) return `${seconds.toFixed(0)} s`;
  return seconds < 5400 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// What a key's number counts, by its name, as the worker has it in config/keys/quantities.py.
export function quantityOf(name) {
  if (name.endsWith(".ms") || name === "errors.retry.timeout") return "time";
  if (/(\.bytes|part\.size|block\.size)$/.test(name) || ["memory.bytes.max", "s3.elastic.buffer.init.capacity"].includes(name)) return "size";
  return null;
}

export function amount(quantity, text) {
  const found = /^\s*(\d{1,19}(?:\.\d{1,9})?) ?([a-zA-Z]{1,3})?\s*$/.exec(text);
  if (!found) return null;
  const unit = found[2] === undefined ? 1 : UNITS[quantity][quantity === "size" ? found[2].toLowerCase() : found[2]];
  return unit === undefined ? null : Number(found[1]) * unit;
}

// The largest unit that gives a short number: 600000 ms are 10 min.
export function withUnit(quantity, value) {
  for (const [unit, size] of quantity === "time" ? TIMES : SIZES) {
    if (value >= size) return `${Number((value / size).toFixed(2))} ${unit}`;
  }
  return quantity === "time" ? "0 ms" : "0 B";
}

// What a text means where it isn't plain: "" where nothing need be said.
export function reading(quantity, text) {
  if (!text.trim()) return "";
  if (text.trim() === "-1") return "not used";
  const value = amount(quantity, text);
  if (value === null) return quantity === "time" ? "a time such as 30s, 10m or 2h" : "a size such as 128MiB or 1GB";
  return `= ${withUnit(quantity, value)}`;
}
