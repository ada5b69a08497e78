// app.js - asks for a key where one is needed, then starts chat and live view.
import { get, setKey, Refused } from "/api.js";
import { startChat } from "/chat.js";
import { startLive } from "/live.js";

const $ = (id) => document.getElementById(id);
let started = false;

function askForKey(message) {
  $("key-section").hidden = false;
  $("key-error").textContent = message;
  $("key").focus();
}

async function enter() {
  const models = await get("/v1/models");
  if (!models.data.length) throw new Refused(403, "this key may ask no model that is served here");
  const { id, chip } = models.data[0];
  $("key-section").hidden = true;
  $("key").value = "";
  $("served").textContent = `${id} on ${chip}`;
  if (!started) {
    started = true;
    startChat(id);
    startLive((e) => askForKey(e.message));
  }
}

$("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  setKey($("key").value.trim());
  try {
    await enter();
    $("change-key").hidden = false;
  } catch (e) {
    askForKey(e.message);
  }
});
$("change-key").addEventListener("click", () => askForKey(""));

enter().catch((e) => {
  $("served").textContent = e instanceof Refused ? "" : "the server does not answer";
  if (e instanceof Refused) askForKey(e.status === 401 ? "" : e.message);
});
