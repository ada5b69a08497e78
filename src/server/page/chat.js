// chat.js - the conversation: messages as they were said, one answer at a time, which may be stopped.
import { stream } from "/api.js";
import { short } from "/live.js";

const $ = (id) => document.getElementById(id);
let messages = [];
let model = "";
let running = null;

function entry(who) {
  const item = document.createElement("div");
  const name = document.createElement("span");
  const text = document.createElement("span");
  item.className = "entry";
  name.className = "who";
  name.textContent = who;
  item.append(name, text);
  $("log").append(item);
  return { item, text };
}

function scroll() {
  $("log").scrollTop = $("log").scrollHeight;
}

function cost(item, x) {
  if (!x) return;
  const line = document.createElement("span");
  line.className = "cost";
  line.textContent = x.ttft_s === null
    ? `here: first token ${short(x.host_ttft_s, "s")}, all ${short(x.host_s, "s")}`
    : `on ${x.chip}: first token ${short(x.ttft_s, "s")}` + (x.tpot_s === null ? "" : `, then ${short(x.tpot_s, "s")} each`) +
      `, ${short(x.energy_j, "J")}` + (x.usd === null ? "" : `, $${x.usd.toPrecision(2)}`) +
      `; here: first token ${short(x.host_ttft_s, "s")}, all ${short(x.host_s, "s")}`;
  item.append(line);
}

function busy(on) {
  $("send").disabled = on;
  $("stop").disabled = !on;
  $("log").setAttribute("aria-busy", on ? "true" : "false"); // a screen reader waits for the whole answer
}

async function send(event) {
  event.preventDefault();
  const question = $("message").value.trim();
  if (!question || running) return;
  messages.push({ role: "user", content: question });
  entry("You").text.textContent = question;
  $("message").value = "";
  $("error").textContent = "";
  const { item, text } = entry("Silex");
  running = new AbortController();
  busy(true);
  scroll();
  try {
    const body = { model, messages, temperature: Number($("temperature").value), max_tokens: Number($("most").value), stream_options: { include_usage: true } };
    await stream("/v1/chat/completions", body, running.signal, (e) => {
      text.textContent += e.choices[0]?.delta?.content ?? "";
      if (e.x_silex) cost(item, e.x_silex);
      scroll();
    });
  } catch (e) {
    if (e.name !== "AbortError") $("error").textContent = e.message;
  }
  if (text.textContent) messages.push({ role: "assistant", content: text.textContent });
  else {
    messages.pop(); // nothing came: the question may be asked again
    item.remove();
  }
  running = null;
  busy(false);
  $("message").focus();
}

export function startChat(name) {
  model = name;
  $("chat").hidden = false;
  $("chat-form").addEventListener("submit", send);
  $("message").addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) {
      e.preventDefault();
      $("chat-form").requestSubmit();
    }
  });
  $("stop").addEventListener("click", () => running?.abort());
  $("clear").addEventListener("click", () => {
    running?.abort();
    messages = [];
    $("log").replaceChildren();
    $("message").focus();
  });
  $("message").focus();
}
