// Has the worker judge a configuration as one types. Bounded: two questions at once, and the newest answer wins.

import { ask, path } from "./rest.js";

const REST_MS = 500;
const ASKED_MAX = 2;

// `config` gives what is judged; `show(report, current)` gets each answer, `pending()` hears that one is awaited.
export function checker({ config, show, pending, trouble }) {
  let version = 0, asked = 0, answered = 0, running = 0, timer = null, waiting = false;

  async function start() {
    timer = null;
    if (running >= ASKED_MAX) { waiting = true; return; }
    const mine = (asked += 1), of = version, judged = config();
    running += 1;
    try {
      const report = await ask(`${path("connector-plugins", judged["connector.class"])}/config/validate`, { method: "PUT", body: judged });
      if (mine > answered) { answered = mine; show(report, of === version); }
    } catch (error) {
      if (mine > answered) { answered = mine; trouble(error.message, of === version); }
    }
    running -= 1;
    if (waiting) { waiting = false; start(); }
  }

  return function changed() {
    version += 1;
    pending();
    clearTimeout(timer);
    timer = setTimeout(start, REST_MS);
  };
}
