// The chat page: draws what the server tells, sends what people do. Words live in page.html.

import { Ground, Land } from "./map.js";

const READ_KEY = "read";
const PENDING_KEY = "unsent";
const MAX_PHOTO = 20 * 1024 * 1024;
const MAX_PHOTOS = 10;
const TIMEOUT = { text: 20_000, photo: 180_000 };
const ZONE = "Asia/Ho_Chi_Minh";
const narrow = matchMedia("(max-width: 760px)");

const $ = (id) => document.getElementById(id);
const words = $("words").dataset;
const seats = new Map();
let last = 0;
let pageSize = 200;
let current = null;

function clone(id) {
  return $(id).content.firstElementChild.cloneNode(true);
}

function fill(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// crypto.randomUUID is missing where the page is opened over plain http from another computer.
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function remembered(name, fallback) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? fallback;
  } catch {
    return fallback;
  }
}

function remember(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Private windows may refuse; the page works without.
  }
}

// ── Time ─────────────────────────────────────────────────────────────────────

const hours = new Intl.DateTimeFormat("vi-VN", { hour: "2-digit", minute: "2-digit", timeZone: ZONE });
const days = new Intl.DateTimeFormat("vi-VN", {
  weekday: "long", day: "numeric", month: "numeric", year: "numeric", timeZone: ZONE,
});
const DAY = 86_400_000;

function dayName(at) {
  const name = days.format(at);
  if (name === days.format(Date.now())) return words.today;
  if (name === days.format(Date.now() - DAY)) return words.yesterday;
  return name;
}

// ── Seats ────────────────────────────────────────────────────────────────────

function initials(name) {
  return name.split(/\s+/).at(-1).slice(0, 1).toUpperCase();
}

function makeSeat(person, index) {
  const element = clone("seat-template");
  const part = (selector) => element.querySelector(selector);
  const seat = {
    ...person,
    element,
    tab: makeTab(person, index),
    scroll: part(".scroll"),
    list: part(".talk"),
    input: part("textarea"),
    bubbles: new Map(),
    drawn: new Map(),
    pending: [],
    picked: [],
    reply: null,
    older: false,
    chain: Promise.resolve(),
    opener: null,
  };
  element.id = `seat-${index}`;
  element.dataset.seat = person.id;
  element.dataset.kind = person.kind;
  element.classList.add(`tint-${index % 5}`);
  const label = fill(words.talk, { name: person.name, role: person.role_line });
  element.setAttribute("aria-label", label);
  seat.scroll.setAttribute("aria-label", label);
  seat.list.setAttribute("aria-label", label);
  part(".avatar").textContent = initials(person.name);
  part("h2").textContent = person.name;
  part(".who p").textContent = person.role_line;
  part(".group-mark").toggleAttribute("hidden", !person.group);
  for (const hint of element.querySelectorAll("[data-for]")) hint.hidden = hint.dataset.for !== person.kind;
  seat.input.setAttribute("aria-label", fill(words.compose, { name: person.name }));
  wire(seat, part);
  return seat;
}

function makeTab(person, index) {
  const tab = clone("tab-template");
  tab.classList.add(`tint-${index % 5}`);
  tab.setAttribute("aria-controls", `seat-${index}`);
  tab.querySelector(".avatar").textContent = initials(person.name);
  tab.querySelector(".tab-name").textContent = person.name;
  tab.querySelector(".tab-role").textContent = person.role_line;
  tab.addEventListener("click", () => show(person.id));
  return tab;
}

function wire(seat, part) {
  part("form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit(seat);
  });
  seat.input.addEventListener("keydown", (event) => {
    // While a Vietnamese input method is composing, Enter ends the word and not the message.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    submit(seat);
  });
  seat.input.addEventListener("input", () => grow(seat));
  seat.input.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) pick(seat, event.clipboardData.files);
  });
  for (const file of seat.element.querySelectorAll(".file")) {
    file.addEventListener("change", () => {
      pick(seat, file.files);
      file.value = "";
    });
  }
  part(".shoot").addEventListener("click", (event) => {
    if (!hasLens()) return;
    event.preventDefault();
    openCamera(seat);
  });
  seat.element.addEventListener("dragover", (event) => event.preventDefault());
  seat.element.addEventListener("drop", (event) => {
    event.preventDefault();
    pick(seat, event.dataTransfer.files);
  });
  part(".where").addEventListener("click", () => openMap(seat));
  part(".quote button").addEventListener("click", () => answer(seat, null));
  part(".older").addEventListener("click", () => loadOlder(seat));
  part(".newer").addEventListener("click", () => toEnd(seat));
  for (const hint of seat.element.querySelectorAll(".try")) {
    hint.addEventListener("click", () => say(seat, hint.textContent));
  }
  seat.scroll.addEventListener("scroll", () => {
    if (atEnd(seat)) {
      part(".newer").hidden = true;
      markRead(seat);
    }
  }, { passive: true });
}

function show(id) {
  current = id;
  remember("seat", id);
  for (const seat of seats.values()) {
    const here = seat.id === id;
    seat.element.classList.toggle("current", here);
    if (here) {
      seat.tab.setAttribute("aria-current", "true");
      seat.tab.scrollIntoView({ block: "nearest", inline: "center" });
      toEnd(seat);
    } else {
      seat.tab.removeAttribute("aria-current");
    }
  }
}

function visible(seat) {
  return !document.hidden && (!narrow.matches || seat.id === current);
}

// ── Unread ───────────────────────────────────────────────────────────────────

const read = remembered(READ_KEY, {});

function newest(seat) {
  let id = 0;
  for (const bubble of seat.bubbles.values()) if (!bubble.mine && bubble.id > id) id = bubble.id;
  return id;
}

function markRead(seat) {
  if (!visible(seat)) return showUnread(seat);
  const id = newest(seat);
  if (id > (read[seat.id] ?? 0)) {
    read[seat.id] = id;
    remember(READ_KEY, read);
  }
  showUnread(seat);
}

function showUnread(seat) {
  seat.tab.querySelector(".unread").hidden = newest(seat) <= (read[seat.id] ?? 0);
}

// ── Bubbles ──────────────────────────────────────────────────────────────────

function atEnd(seat) {
  return seat.scroll.scrollHeight - seat.scroll.scrollTop - seat.scroll.clientHeight < 80;
}

function toEnd(seat) {
  seat.scroll.scrollTop = seat.scroll.scrollHeight;
  seat.element.querySelector(".newer").hidden = true;
  markRead(seat);
}

function take(bubble) {
  last = Math.max(last, bubble.id);
  const seat = seats.get(bubble.seat);
  if (!seat || seat.bubbles.has(bubble.id)) return;
  const stay = atEnd(seat) || bubble.mine;
  const sent = seat.pending.find((pending) => pending.key === bubble.key && bubble.mine);
  if (sent) dropPending(seat, sent);
  const before = [...seat.bubbles.values()].at(-1);
  seat.bubbles.set(bubble.id, bubble);
  if (before && before.id > bubble.id) {
    redraw(seat);
  } else {
    const waiting = seat.list.querySelector(".said.waiting");
    if (!before || dayName(before.at) !== dayName(bubble.at)) seat.list.insertBefore(day(bubble.at), waiting);
    const element = draw(seat, bubble);
    element.classList.add("fresh");
    seat.list.insertBefore(element, waiting);
    if (before && before.mine === bubble.mine && bubble.at - before.at < 120_000) {
      seat.drawn.get(before.id)?.classList.add("followed");
    }
  }
  settle(seat);
  if (stay) toEnd(seat);
  else seat.element.querySelector(".newer").hidden = false;
  markReadSoon(seat, stay);
}

function markReadSoon(seat, stay) {
  if (stay) markRead(seat);
  else showUnread(seat);
}

function redraw(seat) {
  const sorted = [...seat.bubbles.values()].sort((a, b) => a.id - b.id);
  seat.bubbles = new Map(sorted.map((bubble) => [bubble.id, bubble]));
  seat.drawn.clear();
  const nodes = [];
  sorted.forEach((bubble, index) => {
    const before = sorted[index - 1];
    if (!before || dayName(before.at) !== dayName(bubble.at)) nodes.push(day(bubble.at));
    const element = draw(seat, bubble);
    if (before && before.mine === bubble.mine && bubble.at - before.at < 120_000) {
      seat.drawn.get(before.id).classList.add("followed");
    }
    nodes.push(element);
  });
  seat.list.replaceChildren(...nodes, ...seat.pending.map((pending) => pending.element));
  settle(seat);
}

function day(at) {
  const element = clone("day-template");
  const time = element.querySelector("time");
  time.textContent = dayName(at);
  time.dateTime = new Date(at).toISOString();
  return element;
}

function draw(seat, bubble) {
  const element = clone("bubble-template");
  const part = (selector) => element.querySelector(selector);
  element.classList.add(bubble.mine ? "mine" : "bot");
  if (bubble.id) element.dataset.bubble = bubble.id;
  if (seat.group && bubble.mine) {
    part(".author").hidden = false;
    part(".author").textContent = bubble.author;
  }
  if (bubble.reply) quoteInto(seat, part(".answers"), bubble.reply);
  if (bubble.photo) picture(seat, part(".picture"), bubble);
  if (bubble.voice) sound(part(".voice"), bubble);
  if (bubble.lat !== null && bubble.lat !== undefined) spot(part(".spot"), bubble);
  if (bubble.text) {
    part(".text").hidden = false;
    write(part(".text"), bubble.text, !bubble.mine);
  }
  pills(seat, part(".pills"), bubble);
  const time = part(".foot time");
  time.textContent = hours.format(bubble.at);
  time.dateTime = new Date(bubble.at).toISOString();
  if (seat.group && bubble.id) answerable(seat, element, bubble);
  if (bubble.id) seat.drawn.set(bubble.id, element);
  return element;
}

// Text only, ever. A link of the bot's becomes a link; what people type never does.
function write(element, text, links) {
  const parts = links ? text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/) : [text];
  parts.forEach((part, index) => {
    if (index % 2 === 0) return element.append(part);
    const link = document.createElement("a");
    link.href = part;
    link.rel = "noopener noreferrer";
    link.target = "_blank";
    link.textContent = part;
    element.append(link);
  });
}

function brief(bubble) {
  if (!bubble) return "…";
  if (bubble.text) return bubble.text.length > 90 ? `${bubble.text.slice(0, 90)}…` : bubble.text;
  if (bubble.voice) return words.voice;
  return bubble.photo ? words.photo : words.place;
}

function quoteInto(seat, element, id) {
  element.hidden = false;
  element.querySelector("span").textContent = brief(seat.bubbles.get(id));
}

function picture(seat, button, bubble) {
  const source = bubble.local ?? `/chat/photo/${bubble.id}`;
  button.hidden = false;
  button.querySelector("img").src = source;
  button.addEventListener("click", () => {
    $("viewer").querySelector("img").src = source;
    $("viewer").showModal();
  });
}

function sound(player, bubble) {
  player.hidden = false;
  player.src = bubble.local ?? `/chat/photo/${bubble.id}`;
}

function answerable(seat, element, bubble) {
  const button = element.querySelector(".answer");
  button.hidden = false;
  button.addEventListener("click", () => answer(seat, bubble));
  element.querySelector(".bubble").addEventListener("click", (event) => {
    if (event.target.closest("a, button, audio") || String(getSelection())) return;
    answer(seat, bubble);
  });
}

function pills(seat, group, bubble) {
  for (const button of bubble.buttons ?? []) {
    const pill = clone("pill-template");
    pill.querySelector("span").textContent = button.label;
    pill.dataset.action = button.action;
    pill.addEventListener("click", () => press(seat, bubble, button));
    group.append(pill);
  }
  if (bubble.wants_place) {
    const pill = clone("place-pill-template");
    pill.addEventListener("click", () => openMap(seat));
    group.append(pill);
  }
  group.hidden = !group.childElementCount;
}

// Which choice was made, and which question is the newest; the server decides what an old one still does.
function settle(seat) {
  const pressed = new Map();
  let question = 0;
  for (const bubble of seat.bubbles.values()) {
    if (bubble.pressed) pressed.set(bubble.pressed.of, bubble.pressed.action);
    if (bubble.buttons.length && bubble.id > question) question = bubble.id;
  }
  for (const { fields } of seat.pending) if (fields.action) pressed.set(fields.of, fields.action);
  for (const [id, element] of seat.drawn) {
    const bubble = seat.bubbles.get(id);
    if (!bubble.buttons.length && !bubble.wants_place) continue;
    element.classList.toggle("past", id < question || pressed.has(id));
    for (const pill of element.querySelectorAll("[data-action]")) {
      const chosen = pressed.get(id) === pill.dataset.action;
      pill.classList.toggle("chosen", chosen);
      pill.setAttribute("aria-pressed", String(chosen));
    }
  }
  seat.element.querySelector(".empty").hidden = seat.bubbles.size > 0 || seat.pending.length > 0;
  seat.element.querySelector(".older").hidden = !seat.older;
}

async function loadOlder(seat) {
  const first = Math.min(...seat.bubbles.keys());
  const query = new URLSearchParams({ seat: seat.id, before: first });
  const answered = await fetch(`/chat/bubbles?${query}`).catch(() => null);
  if (!answered?.ok) return;
  const { bubbles } = await answered.json();
  const from = seat.scroll.scrollHeight - seat.scroll.scrollTop;
  for (const bubble of bubbles) seat.bubbles.set(bubble.id, bubble);
  seat.older = bubbles.length === pageSize;
  redraw(seat);
  seat.scroll.scrollTop = seat.scroll.scrollHeight - from;
}

// ── What people do ───────────────────────────────────────────────────────────

function grow(seat) {
  seat.input.style.height = "auto";
  seat.input.style.height = `${Math.min(seat.input.scrollHeight + 2, 150)}px`;
}

function trouble(seat, sentence) {
  const line = seat.element.querySelector(".trouble");
  line.hidden = !sentence;
  line.textContent = sentence;
}

function answer(seat, bubble) {
  seat.reply = bubble?.id ?? null;
  const quote = seat.element.querySelector(".quote");
  quote.hidden = !bubble;
  if (!bubble) return;
  quote.querySelector(".quoted").textContent = brief(bubble);
  seat.input.focus();
}

function pick(seat, files) {
  trouble(seat, "");
  for (const file of files) {
    if (file.type && !/^(image|audio)\//.test(file.type)) trouble(seat, words.notImage);
    else if (file.size > MAX_PHOTO) trouble(seat, words.tooBig);
    else if (seat.picked.length >= MAX_PHOTOS) trouble(seat, words.tooMany);
    else seat.picked.push({ file, url: URL.createObjectURL(file) });
  }
  showPicked(seat);
  if (seat.picked.length) seat.input.focus();
}

function isSound(file) {
  return file.type.startsWith("audio/");
}

function showPicked(seat) {
  const list = seat.element.querySelector(".picked");
  list.replaceChildren(...seat.picked.map((picked) => {
    const item = clone("picked-template");
    const sound = isSound(picked.file);
    item.querySelector("img").hidden = sound;
    item.querySelector(".sound").hidden = !sound;
    if (!sound) item.querySelector("img").src = picked.url;
    item.querySelector("button").addEventListener("click", () => {
      seat.picked = seat.picked.filter((other) => other !== picked);
      URL.revokeObjectURL(picked.url);
      showPicked(seat);
    });
    return item;
  }));
  list.hidden = !seat.picked.length;
}

function submit(seat) {
  const text = seat.input.value.trim();
  if (seat.picked.length) sendPhotos(seat, text);
  else if (text) say(seat, text);
  else return;
  seat.input.value = "";
  grow(seat);
}

function say(seat, text) {
  post(seat, "say", { text, ...replying(seat) }, { text });
}

function replying(seat) {
  const reply = seat.reply;
  answer(seat, null);
  return reply ? { reply } : {};
}

function press(seat, bubble, button) {
  post(seat, "press", { action: button.action, of: bubble.id }, { text: button.label });
}

function sendPhotos(seat, caption) {
  const album = seat.picked.length > 1 ? newKey() : null;
  const reply = replying(seat);
  seat.picked.forEach(({ file, url }, index) => {
    const fields = { ...reply, ...(album && { album }), ...(index === 0 && caption && { caption }) };
    const look = { text: index === 0 ? caption : "", photo: !isSound(file), voice: isSound(file), local: url };
    post(seat, "photo", fields, look, file);
  });
  seat.picked = [];
  showPicked(seat);
}

function post(seat, verb, fields, look, file = null) {
  trouble(seat, "");
  queue(seat, { key: newKey(), verb, fields, look, file, at: Date.now() });
}

function queue(seat, pending) {
  const { look, fields } = pending;
  const bubble = {
    id: 0, mine: true, author: seat.name, buttons: [], at: pending.at, reply: fields.reply, ...look,
  };
  pending.element = draw(seat, bubble);
  pending.element.classList.add("waiting");
  pending.element.querySelector(".again").addEventListener("click", () => resend(seat, pending));
  pending.element.querySelector(".drop").addEventListener("click", () => {
    dropPending(seat, pending);
    settle(seat);
  });
  seat.pending.push(pending);
  seat.list.append(pending.element);
  keepPending();
  settle(seat);
  toEnd(seat);
  resend(seat, pending);
}

// One after the other, so that what was said first arrives first.
function resend(seat, pending) {
  pending.element.classList.remove("lost");
  seat.chain = seat.chain.then(() => deliver(seat, pending));
}

async function deliver(seat, pending) {
  if (!seat.pending.includes(pending)) return;
  let sentence = words.lost;
  try {
    const answered = await fetch(`/chat/${encodeURIComponent(seat.id)}/${pending.verb}`, request(pending));
    if (answered.ok) return pending.element.classList.add("sent");
    // What was refused once will be refused again: only a person may insist.
    pending.refused = answered.status < 500;
    sentence = (await answered.json()).sentence ?? sentence;
  } catch {
    // No connection, or no answer in time: it stays on the page with the same key.
  }
  pending.element.querySelector(".why").textContent = sentence;
  pending.element.classList.add("lost");
}

function request({ key, verb, fields, file }) {
  if (verb !== "photo") {
    return {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ key, ...fields }),
      signal: within(TIMEOUT.text),
    };
  }
  const body = new FormData();
  for (const [name, value] of Object.entries({ key, ...fields })) body.append(name, value);
  body.append("photo", file, "photo");
  return { method: "POST", body, signal: within(TIMEOUT.photo) };
}

// Telephones that are older than AbortSignal.timeout wait as long as the network does.
function within(milliseconds) {
  return AbortSignal.timeout?.(milliseconds);
}

function dropPending(seat, pending) {
  seat.pending = seat.pending.filter((other) => other !== pending);
  pending.element.remove();
  if (pending.look.local) URL.revokeObjectURL(pending.look.local);
  keepPending();
}

// Words, presses and places wait for a connection even across a reload; pictures only while the page is open.
function keepPending() {
  const kept = [...seats.values()].flatMap((seat) => seat.pending
    .filter((pending) => !pending.file)
    .map(({ key, verb, fields, look, at }) => ({ seat: seat.id, key, verb, fields, look, at })));
  remember(PENDING_KEY, kept);
}

function takeUpPending() {
  for (const { seat: id, ...pending } of remembered(PENDING_KEY, [])) {
    const seat = seats.get(id);
    const arrived = seat && [...seat.bubbles.values()].some((bubble) => bubble.key === pending.key);
    if (seat && !arrived) queue(seat, pending);
  }
  keepPending();
}

// ── Live ─────────────────────────────────────────────────────────────────────

let stream = null;
let reopening = null;

function connected(up) {
  $("live").classList.toggle("lost", !up);
  if (!up) return;
  for (const seat of seats.values()) {
    for (const pending of seat.pending) {
      if (pending.element.classList.contains("lost") && !pending.refused) resend(seat, pending);
    }
  }
}

function listen() {
  clearTimeout(reopening);
  stream?.close();
  stream = new EventSource(`/chat/live?after=${last}`);
  stream.addEventListener("open", () => connected(true));
  stream.addEventListener("message", (event) => take(JSON.parse(event.data)));
  stream.addEventListener("error", () => {
    connected(false);
    // Start again from the newest one drawn, whatever the browser would have done.
    stream.close();
    clearTimeout(reopening);
    reopening = setTimeout(listen, 1500);
  });
}

// A browser gives one server six connections for all its tabs: those that nobody sees let go of theirs.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    clearTimeout(reopening);
    stream?.close();
    return;
  }
  listen();
  for (const seat of seats.values()) if (visible(seat) && atEnd(seat)) markRead(seat);
});
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => event.persisted && listen());

// ── Map ──────────────────────────────────────────────────────────────────────

let land = new Land([]);
let map = null;
const chosen = { seat: null };

function layMap(villages) {
  land = new Land(villages);
  map ??= new Ground($("ground"), {
    list: $("village"), nearer: $("nearer"), farther: $("farther"), pointed, entered: sendPlace,
  });
  map.draw(land);
}

function pointed(point, village) {
  $("pointed").textContent = !point ? words.none : village ? fill(words.here, { village: village.name }) : words.outside;
  $("send-place").disabled = !point;
}

function openMap(seat) {
  chosen.seat = seat;
  $("map").showModal();
  map.reset();
}

function sendPlace() {
  const [lat, lon] = map.point.map((value) => Number(value.toFixed(6)));
  $("map").close();
  post(chosen.seat, "place", { lat, lon, ...replying(chosen.seat) }, { text: "", lat, lon });
}

function spot(holder, { lat, lon }) {
  holder.hidden = false;
  const village = land.villageAt([lat, lon]);
  const name = document.createElement("p");
  name.textContent = village ? `${words.place}: ${village.name}` : `${lat.toFixed(5)}, ${lon.toFixed(5)}`;
  if (land.box) holder.append(land.picture([lat, lon], 3000, words.place));
  holder.append(name);
}

// ── Camera: where a computer has one and the page may ask; a phone opens its own ──

let lens = null;

function hasLens() {
  return matchMedia("(hover: hover) and (pointer: fine)").matches && Boolean(navigator.mediaDevices?.getUserMedia);
}

async function openCamera(seat) {
  try {
    lens = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1920 } } });
  } catch {
    // No camera, or not allowed: the file picker does.
    seat.element.querySelector(".file").click();
    return;
  }
  chosen.seat = seat;
  $("camera").querySelector("video").srcObject = lens;
  $("camera").showModal();
}

function snap() {
  const video = $("camera").querySelector("video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  $("camera").close();
  canvas.toBlob((blob) => blob && pick(chosen.seat, [blob]), "image/jpeg", 0.9);
}

$("camera").addEventListener("close", () => lens?.getTracks().forEach((track) => track.stop()));
$("snap").addEventListener("click", snap);

// ── Start ────────────────────────────────────────────────────────────────────

async function ask(path) {
  const answered = await fetch(path);
  if (!answered.ok) throw new Error(path);
  return answered.json();
}

async function start() {
  const [people, ground, past] = await Promise.all([ask("/chat/people"), ask("/chat/map"), ask("/chat/bubbles")]);
  layMap(ground.villages);
  pageSize = past.page;
  const name = people.commune.toLowerCase().startsWith(words.rank) ? people.commune.slice(words.rank.length) : people.commune;
  document.title = $("commune").textContent = fill(words.brand, { commune: name });
  people.seats.forEach((person, index) => {
    const seat = makeSeat(person, index);
    seats.set(seat.id, seat);
    seat.element.querySelector(".where").hidden = !land.box;
    $("people").append(seat.element);
    $("tabs").append(seat.tab);
  });
  for (const bubble of past.bubbles) seats.get(bubble.seat)?.bubbles.set(bubble.id, bubble);
  last = past.last;
  for (const seat of seats.values()) {
    seat.older = seat.bubbles.size === pageSize;
    redraw(seat);
    showUnread(seat);
  }
  const before = remembered("seat", null);
  show(seats.has(before) ? before : people.seats[0].id);
  for (const seat of seats.values()) toEnd(seat);
  takeUpPending();
  if (!document.hidden) listen();
}

function startUntilItWorks() {
  start().catch(() => {
    connected(false);
    $("people").replaceChildren();
    $("tabs").replaceChildren();
    seats.clear();
    setTimeout(startUntilItWorks, 2000);
  });
}

for (const close of document.querySelectorAll("dialog .close")) {
  close.addEventListener("click", () => close.closest("dialog").close());
}
for (const sheet of document.querySelectorAll("dialog")) {
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
}
narrow.addEventListener("change", () => seats.forEach((seat) => visible(seat) && toEnd(seat)));
$("send-place").addEventListener("click", sendPlace);
startUntilItWorks();
