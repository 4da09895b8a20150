// The page of `impasto live`: shows the state that the server sends and asks for changes. The server's state is the only
// truth; what is asked for shows when it has come back from there.
"use strict";

const token = new URLSearchParams(location.search).get("token") ?? "";
const at = (path, more = "") => `${path}?token=${token}${more}`;
const by = (id) => document.getElementById(id);

/** Time for which a control that somebody moves is not moved by what comes from the server. */
const HOLD_MS = 700;
const RETRY_MS = 1500;
const PHOTO = "identity";

const cards = new Map();
const touched = new Map();
let state = null;
/** The style that others are mixed into, whatever its share. */
let leading = null;

function say(text) {
  by("message").textContent = text;
}

/** Asks the server; what it refuses is said in its own words. */
async function ask(path, options = {}) {
  try {
    const response = await fetch(at(path), options);
    if (!response.ok) throw new Error((await response.text()).trim());
    say("");
    return response;
  } catch (error) {
    say(error instanceof TypeError ? "impasto does not answer; has it ended?" : error.message);
    return null;
  }
}

const wanted = {};
let asking = false;

/** Asks for a change. While one is under way, later ones are put together, and the last word on each setting counts. */
async function change(settings) {
  Object.assign(wanted, settings);
  if (asking) return;
  asking = true;
  while (Object.keys(wanted).length > 0) {
    const body = JSON.stringify(wanted);
    for (const name of Object.keys(wanted)) delete wanted[name];
    const response = await ask("set", { method: "POST", body });
    if (response) show(await response.json());
  }
  asking = false;
}

function show(next) {
  state = next;
  const isOn = state.strength > 0;
  by("on").setAttribute("aria-checked", String(isOn));
  put("strength", state.strength);
  put("persistence", state.persistence);
  put("quality", state.quality);
  by("keep-colors").checked = state.keep_colors;
  const [first, second] = ranked();
  put("second", second ? second[0] : "");
  by("share").disabled = !second;
  if (second) put("share", second[1]);
  outputs();
  by("now").textContent = isOn ? state.parts.map(([name, share]) => called(name, share)).join(" + ") : "the photo itself";
  for (const [name, card] of cards) {
    const share = isOn ? state.parts.find(([part]) => part === name)?.[1] : undefined;
    card.button.setAttribute("aria-pressed", String(first[0] === name && isOn));
    card.share.textContent = share && share < 1 ? percent(share) : "";
    const version = state.thumbnails.versions[card.idx];
    if (version !== card.version) {
      card.version = version;
      card.image.src = at("thumbnail", `&idx=${card.idx}&version=${version}`);
      card.image.hidden = false;
    }
  }
  // Not disabled: the focus would be lost. To ask twice does no harm.
  by("repaint").setAttribute("aria-disabled", String(state.thumbnails.is_painting));
  by("repaint").textContent = state.thumbnails.is_painting ? "Painting…" : "Paint them on this frame";
  if (state.thumbnails.errors.length > 0) say(state.thumbnails.errors.join("; "));
  if (state.meters) meters(state.meters);
}

function meters(now) {
  by("fps").textContent = now.fps.toFixed(1);
  by("delay").textContent = `${now.delay_ms.toFixed(0)} ms`;
  by("running").textContent = now.quality || "one size";
  by("height").textContent = `${now.processing_height} px`;
  by("cpu").textContent = `${now.cpu_percent} %`;
  by("left-out").textContent = now.frames_left_out;
  by("reused").textContent = now.frames_reused;
  by("cards").textContent = now.cards;
  by("link").textContent = now.format;
}

/** The styles that are painted: the one that others are mixed into, and the foremost of those. */
function ranked() {
  const parts = [...state.parts].sort((a, b) => b[1] - a[1]);
  const first = parts.find(([name]) => name === leading) ?? parts[0];
  leading = first[0];
  return [first, parts.find((part) => part !== first)];
}

function called(name, share) {
  const title = cards.get(name)?.title ?? (name === PHOTO ? "the photo" : name);
  return share < 1 ? `${title} ${percent(share)}` : title;
}

const percent = (share) => `${Math.round(share * 100)} %`;

/** Brings a control to a value, unless somebody is moving it. */
function put(id, value) {
  if (performance.now() - (touched.get(id) ?? -Infinity) > HOLD_MS) by(id).value = value;
}

function outputs() {
  for (const id of ["strength", "persistence", "share"]) {
    const text = by(id).disabled ? "" : percent(Number(by(id).value));
    by(`${id}-value`).textContent = text;
    by(id).setAttribute("aria-valuetext", text);
  }
}

/** The style's text for a first style and what the controls say about a second one. */
function mix(first) {
  const second = by("second").value;
  if (!second || second === first) return first;
  const share = Number(by("share").value);
  return `${first}:${1 - share}+${second}:${share}`;
}

function card(style, idx) {
  const title = style.title ?? style.name;
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.style = style.name;
  button.title = style.artist ? `${title}, ${style.artist}` : title;
  button.setAttribute("aria-pressed", "false");
  const part = (kind, name, text = "") => {
    const made = document.createElement(kind);
    made.className = name;
    made.textContent = text;
    return made;
  };
  const thumb = part("span", "thumb");
  const image = document.createElement("img");
  image.alt = "";
  image.hidden = true;
  const share = part("span", "share");
  thumb.append(image, share);
  button.append(thumb, part("span", "title", title), part("span", "artist", style.artist ?? ""));
  button.addEventListener("click", () => {
    leading = style.name;
    change({ style: mix(leading), on: true });
  });
  by("styles").append(button);
  cards.set(style.name, { idx, title, button, image, share, version: 0 });
  by("second").append(new Option(title, style.name));
}

function moves(id, settings) {
  by(id).addEventListener("input", () => {
    touched.set(id, performance.now());
    outputs();
    change(settings(by(id).value));
  });
}

let events = null;
let retry = 0;

/** Shows what is painted and how it goes while the page is seen. */
function look() {
  clearTimeout(retry);
  events?.close();
  by("preview").removeAttribute("src");
  by("preview").hidden = true;
  if (document.hidden) return;
  events = new EventSource(at("events"));
  events.onmessage = (event) => show(JSON.parse(event.data));
  events.onerror = () => {
    by("link").textContent = "not connected";
    lost();
  };
  by("preview").src = at("preview", `&from=${Date.now()}`);
  by("preview").hidden = false;
}

function lost() {
  clearTimeout(retry);
  retry = setTimeout(look, RETRY_MS);
}

async function start() {
  moves("strength", (value) => ({ strength: Number(value) }));
  moves("persistence", (value) => ({ persistence: Number(value) }));
  moves("quality", (value) => ({ quality: value }));
  const remix = () => (leading ? { style: mix(leading) } : {});
  moves("share", remix);
  by("second").addEventListener("change", () => {
    touched.set("second", performance.now());
    by("share").disabled = !by("second").value;
    outputs();
    change(remix());
  });
  by("keep-colors").addEventListener("change", () => change({ keep_colors: by("keep-colors").checked }));
  by("on").addEventListener("click", () => change({ on: state?.strength === 0 }));
  by("repaint").addEventListener("click", () => ask("thumbnails", { method: "POST" }));
  by("snapshot").addEventListener("click", snapshot);
  const response = await ask("styles");
  if (!response) return;
  (await response.json()).forEach(card);
  by("second").append(new Option("the photo", PHOTO));
  by("preview").addEventListener("error", lost);
  document.addEventListener("visibilitychange", look);
  look();
  // What was painted for an earlier visit is shown again.
  const now = await ask("state");
  if (now && (await now.json()).thumbnails.versions.every((version) => version === 0)) ask("thumbnails", { method: "POST" });
}

async function snapshot() {
  const response = await ask("snapshot");
  if (!response) return;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = "impasto.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), RETRY_MS);
}

start();
