// The map behind a link: one place, sent once. Words live in place.html.

import { Ground, Land } from "./map.js";

const TIMEOUT = 20_000;
const PATIENCE = 20_000;
// Metres: a telephone that is less sure than this was placed by its network.
const ROUGH = 300;
// Nothing more can come of this link.
const OVER = [404, 410];

const $ = (id) => document.getElementById(id);
const words = $("words").dataset;
const land = new Land(JSON.parse($("villages").textContent));
let chosen = null;

function trouble(sentence) {
  $("trouble").hidden = !sentence;
  $("trouble").textContent = sentence;
}

function pointed(point, village) {
  chosen = point;
  trouble("");
  $("send").disabled = !point;
  $("pointed").classList.toggle("set", Boolean(point));
  $("pointed").textContent = sentence(point, village);
}

function sentence(point, village) {
  if (!point) return words.none;
  if (!land.box) return words.seen;
  return village ? words.here.replace("{village}", village.name) : words.outside;
}

const map = new Ground($("ground"), {
  list: $("village"), nearer: $("nearer"), farther: $("farther"), pointed, entered: send,
});

// ── Where the person stands ──

function locate() {
  if (!navigator.geolocation) return trouble(words.refused);
  $("here").disabled = true;
  trouble("");
  $("pointed").textContent = words.looking;
  navigator.geolocation.getCurrentPosition(found, refused, {
    enableHighAccuracy: true, timeout: PATIENCE, maximumAge: 0,
  });
}

function found({ coords }) {
  $("here").disabled = false;
  const point = [coords.latitude, coords.longitude];
  if (land.box) map.show(point);
  else pointed(point);
  if (coords.accuracy > ROUGH) trouble(words.rough);
}

function refused() {
  $("here").disabled = false;
  pointed(chosen, chosen && land.box ? land.villageAt(chosen) : undefined);
  trouble(words.refused);
}

// ── Sending ──

async function send() {
  if ($("send").disabled) return;
  const label = $("send").textContent;
  $("send").disabled = true;
  $("send").textContent = words.sending;
  trouble("");
  try {
    const answered = await fetch(location.href, request());
    const said = await answered.json();
    if (answered.ok || OVER.includes(answered.status)) return finish(said, answered.ok);
    trouble(`${said.title} ${said.text}`);
  } catch {
    // No connection, or no answer in time: pressing again changes nothing that has arrived.
    trouble(words.lost);
  }
  $("send").textContent = label;
  $("send").disabled = false;
}

function request() {
  const [lat, lon] = chosen.map((value) => Number(value.toFixed(6)));
  const signal = AbortSignal.timeout ? AbortSignal.timeout(TIMEOUT) : undefined;
  const headers = { "Content-Type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify({ lat, lon }), signal };
}

function finish({ title, text }, done) {
  $("ask").hidden = true;
  $("done").classList.toggle("done", done);
  $("done").querySelector("h1").textContent = title;
  $("done").querySelector("p").textContent = text;
  $("done").hidden = false;
  $("done").focus();
}

$("here").addEventListener("click", locate);
$("send").addEventListener("click", send);
for (const part of document.querySelectorAll("[data-map]")) part.hidden = !land.box;
if (land.box) {
  map.draw(land);
  map.reset();
}
document.body.classList.add("ready");
