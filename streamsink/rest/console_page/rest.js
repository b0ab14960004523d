// Asks the worker. Turns each refusal into an error with the worker's words. Keeps nothing.

export const TIMEOUT_MS = 70000;

export const path = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;

export async function ask(where, { method = "GET", body } = {}) {
  const answer = await fetch(where, {
    method,
    headers: { Accept: "application/json", "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await answer.text();
  let found = null;
  try { found = text ? JSON.parse(text) : null; } catch { found = { message: text }; }
  if (!answer.ok) throw new Error(found?.message || `${answer.status} ${answer.statusText}`);
  return found;
}
