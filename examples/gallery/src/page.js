// The page: who is signed in, what they have, and what they do with it.

import { card, facts, make, nameOf } from "./card.js";
import { upload } from "./tus.js";
import { send } from "./wire.js";

const AT_ONCE = 3;
const LOOK_AGAIN_MS = 400;
const NAMES = { ana: "Ana", bob: "Bob" };

const at = (id) => document.getElementById(id);
const nothing = () => ({ items: [], next: null, pages: 1, selected: new Set() });
const state = { person: null, ...nothing() };

function say(text) {
  at("error").textContent = "";
  at("status").textContent = text;
}

function complain(text) {
  at("status").textContent = "";
  at("error").textContent = text;
}

/// Sends, and throws what the server's problem says.
async function ask(method, path, json) {
  const answer = await send(method, path, json);
  if (answer.ok) return answer.json;
  if (answer.status === 401) await start();
  throw new Error(answer.json?.detail ?? `The server answered ${answer.status}.`);
}

/// Runs what a button does, once at a time, and tells what went wrong.
function on(element, event, act) {
  let runs = false;
  element.addEventListener(event, async (details) => {
    if (event === "submit") details.preventDefault();
    if (runs) return;
    runs = true;
    say("");
    try {
      await act(details);
    } catch (error) {
      complain(error.message);
    } finally {
      runs = false;
    }
  });
}

// --- who ---

async function start() {
  const { person } = await ask("GET", "/session");
  Object.assign(state, { person, ...nothing() });
  at("welcome").hidden = person !== null;
  for (const id of ["gallery", "session"]) at(id).hidden = person === null;
  at("refused").hidden = true;
  at("uploads").replaceChildren();
  at("cards").replaceChildren();
  if (person === null) return;
  const [me, other] = [NAMES[person], NAMES[otherOf(person)]];
  at("who").textContent = `Signed in as ${me}`;
  at("switch").textContent = `Become ${other}`;
  for (const name of document.querySelectorAll(".me")) name.textContent = me;
  for (const name of document.querySelectorAll(".other")) name.textContent = other;
  at("pictures-title").textContent = `${me}’s pictures`;
  await list();
}

const otherOf = (person) => (person === "ana" ? "bob" : "ana");

async function signIn(person) {
  await ask("POST", "/session", { person });
  at("wire").replaceChildren();
  await start();
  // This is read out, and says who it is.
  say("");
  at("pictures-title").focus();
}

// --- what they have ---

/// Asks for as many pages as there are to be seen.
async function list(pages = state.pages) {
  const { person } = state;
  let items = [];
  let next = null;
  for (let page = 0; page === 0 || (next && page < pages); page += 1) {
    const after = next ? `?after=${encodeURIComponent(next)}` : "";
    const listed = await ask("GET", `/pictures${after}`);
    items = items.concat(listed.items);
    next = listed.next;
  }
  // Somebody else may be signed in by now.
  if (state.person !== person) return;
  Object.assign(state, { items, next, pages });
  show();
}

/// Draws anew the cards that changed, so that focus and pictures stay where they are.
function show() {
  const drawn = new Map([...at("cards").children].map((item) => [item.dataset.id, item]));
  const cards = state.items.map((media) => {
    const item = drawn.get(media.id);
    if (item?.dataset.status === media.status) return item;
    const fresh = card(media, state.selected.has(media.id), acts);
    fresh.dataset.status = media.status;
    return fresh;
  });
  const isSame = cards.length === drawn.size && cards.every((item, i) => item === at("cards").children[i]);
  if (!isSame) at("cards").replaceChildren(...cards);
  at("none").hidden = cards.length > 0;
  at("more").hidden = !state.next;
  showSelected();
  if (state.items.some((media) => media.status === "processing")) lookAgain();
}

function showSelected() {
  const count = state.selected.size;
  at("selected").textContent = count ? `${count} of 8 selected` : "Select pictures for a collage, up to 8.";
  at("make").disabled = count === 0;
}

/// Looks from time to time until everything is ready.
function lookAgain() {
  clearTimeout(state.timer);
  const { person } = state;
  state.timer = setTimeout(() => {
    if (state.person === person) list().catch((error) => complain(error.message));
  }, LOOK_AGAIN_MS);
}

// --- what they do ---

const acts = {
  select(media, isSelected) {
    if (isSelected) state.selected.add(media.id);
    else state.selected.delete(media.id);
    showSelected();
  },

  view(media) {
    at("view-name").textContent = nameOf(media);
    at("view-picture").src = media.urls.medium ?? `${media.urls.original}/medium`;
    at("view-picture").alt = nameOf(media);
    at("view-facts").replaceChildren(
      ...facts(media).map(([what, text]) => make("div", {}, make("dt", {}, what), make("dd", {}, text))),
    );
    at("view").showModal();
  },

  async share(media) {
    try {
      const { url } = await ask("POST", `/pictures/${media.id}/share`);
      const link = new URL(url, location.href);
      const until = new Date(Number(link.searchParams.get("expires")) * 1000);
      at("share-until").textContent = until.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
      at("share-until").dateTime = until.toISOString();
      at("share-link").value = link.href;
      at("share-open").href = link.href;
      at("share").showModal();
    } catch (error) {
      complain(error.message);
    }
  },

  remove(media) {
    state.leaving = media;
    at("remove-name").textContent = nameOf(media);
    at("remove").returnValue = "no";
    at("remove").showModal();
  },
};

async function remove() {
  if (at("remove").returnValue !== "yes") return;
  const { id } = state.leaving;
  await ask("DELETE", `/pictures/${id}`);
  state.selected.delete(id);
  say(`${nameOf(state.leaving)} is deleted.`);
  await list();
  at("pictures-title").focus();
}

async function collage() {
  const stored = await ask("POST", "/collage", { references: [...state.selected] });
  state.selected.clear();
  for (const box of at("cards").querySelectorAll(".pick input")) box.checked = false;
  say(`${nameOf(stored)} is made, ${stored.metadata.width} × ${stored.metadata.height}.`);
  await list();
}

async function take(files) {
  const waiting = [...files];
  const total = waiting.length;
  let stored = 0;
  for (const done of at("uploads").querySelectorAll(".done")) done.remove();
  const rows = new Map(waiting.map((file) => [file, row(file)]));
  const work = async () => {
    while (waiting.length) {
      const file = waiting.shift();
      if (await takeOne(file, rows.get(file))) stored += 1;
      say(`${stored} of ${total} uploaded.`);
      await list();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  if (stored < total) complain(`${total - stored} of ${total} could not be uploaded; the list says why.`);
}

function row(file) {
  const bar = make("progress", { max: 1, value: 0, ariaLabel: `Upload of ${file.name}` });
  const says = make("span", { className: "says" }, "waits");
  const pause = make("button", { type: "button", ariaLabel: `Pause ${file.name}`, disabled: true }, "Pause");
  const line = make("li", {}, make("span", { className: "name" }, file.name), bar, says, pause);
  at("uploads").append(line);
  return { line, bar, says, pause };
}

async function takeOne(file, { line, bar, says, pause }) {
  const progress = (part) => {
    bar.value = part;
    says.textContent = part < 1 ? `${Math.round(part * 100)} %` : "is being stored";
  };
  const uploading = upload("/uploads/tus", file, progress);
  let paused = false;
  pause.disabled = false;
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    if (paused) says.textContent = "paused";
    if (paused) uploading.pause();
    else uploading.resume();
  });
  try {
    const answer = await uploading.done;
    bar.value = answer.ok ? 1 : 0;
    says.textContent = answer.ok ? "stored" : (answer.json?.detail ?? `refused, ${answer.status}`);
    says.classList.toggle("error", !answer.ok);
    return answer.ok;
  } catch (error) {
    says.textContent = error.message;
    says.classList.add("error");
    return false;
  } finally {
    pause.remove();
    line.className = "done";
  }
}

async function steal() {
  const foreign = await ask("GET", "/demo/leaked");
  const other = NAMES[otherOf(state.person)];
  if (!foreign.length) return complain(`${other} has no pictures: become ${other} and upload one.`);
  // With one of the caller's own among them: it is all or nothing.
  const own = state.items.filter((media) => media.metadata).slice(0, 1);
  const references = [...own.map((media) => media.id), ...foreign.slice(0, 7)];
  const before = await ask("GET", "/demo/entered");
  const answer = await send("POST", "/collage", { references });
  const after = await ask("GET", "/demo/entered");
  at("asked").textContent = answer.request;
  at("answered").textContent = answer.response;
  at("before").textContent = `${before}×`;
  at("after").textContent = `${after}×`;
  at("verdict").textContent = answer.ok || after !== before
    ? "The collage was made: this must never happen."
    : `Refused with ${answer.status}. The handler was not entered.`;
  at("verdict").classList.toggle("error", answer.ok || after !== before);
  at("refused").hidden = false;
  at("verdict").focus();
}

for (const button of document.querySelectorAll("[data-person]")) {
  on(button, "click", () => signIn(button.dataset.person));
}
on(at("switch"), "click", () => signIn(otherOf(state.person)));
on(at("sign-out"), "click", async () => {
  await ask("DELETE", "/session");
  await start();
  say("Signed out.");
});
on(at("collage"), "submit", collage);
on(at("more"), "click", () => list(state.pages + 1));
on(at("steal"), "click", steal);
on(at("remove"), "close", remove);
on(at("share-copy"), "click", async () => {
  await navigator.clipboard.writeText(at("share-link").value);
  at("share-copy").textContent = "Copied";
});
on(at("share"), "close", () => (at("share-copy").textContent = "Copy"));
on(at("view"), "close", () => at("view-picture").removeAttribute("src"));
at("files").addEventListener("change", () => {
  const files = [...at("files").files];
  at("files").value = "";
  take(files).catch((error) => complain(error.message));
});
for (const [event, is] of [["dragover", true], ["dragleave", false], ["drop", false]]) {
  at("drop").addEventListener(event, (details) => {
    details.preventDefault();
    at("drop").classList.toggle("over", is);
    if (event === "drop") take(details.dataTransfer.files).catch((error) => complain(error.message));
  });
}

start().catch((error) => complain(error.message));
