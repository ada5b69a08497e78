// api.js - requests to this server. The key lives in this module's memory and nowhere else.
let key = "";

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export function setKey(k) {
  key = k;
}

async function ask(path, options = {}) {
  const headers = { ...(options.body ? { "Content-Type": "application/json" } : {}), ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.ok) return answer;
  let message = `${answer.status}`;
  try {
    message = (await answer.json()).error.message;
  } catch {
    // no JSON: the status must do
  }
  throw new Refused(answer.status, message);
}

export async function get(path) {
  return (await ask(path)).json();
}

// Calls onEvent with every object of the stream; resolves at its end.
export async function stream(path, body, signal, onEvent) {
  const answer = await ask(path, { method: "POST", body: JSON.stringify({ ...body, stream: true }), signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const line = event.split("\n").find((l) => l.startsWith("data: "));
      if (!line || line === "data: [DONE]") continue;
      const data = JSON.parse(line.slice(6));
      if (data.error) throw new Refused(500, data.error.message);
      onEvent(data);
    }
  }
}
