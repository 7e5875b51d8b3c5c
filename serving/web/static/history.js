// The session's results: a list of them, and an address for each, with which Back and Forward work. An entry holds
// a small JPEG and what was found, no pixels; the server holds results while it runs, so that an address can be
// opened anew.

import { isName, server } from "./ask.js";
import { element, verdict } from "./draw.js";
import { showError, showStart, stop, take } from "./stage.js";

const THUMBNAIL_PX = 200;
const MAX_KEPT_PX = 1600; // longest side of a result's picture as the server keeps it
const $ = (id) => document.getElementById(id);

const results = new Map(); // by their names
const addressed = new WeakSet(); // signals of actions that have an entry in the browser's history
let cleared = []; // what "Undo" brings back
let open = () => {};

// Gives the page the address of a result: an entry of the browser's history for each action.
export function address(id, signal = null) {
  if (location.hash.slice(1) === id) return;
  const isNew = !signal || !addressed.has(signal);
  if (signal) addressed.add(signal);
  history[isNew ? "pushState" : "replaceState"](null, "", id ? `#${id}` : location.pathname);
}

// An action that came to nothing has no result's address.
export const noAddress = (signal) => address("", signal);

const shrink = (picture, longest, quality) => {
  const factor = Math.min(1, longest / Math.max(picture.width, picture.height));
  const small = new OffscreenCanvas(
    Math.max(1, Math.round(picture.width * factor)),
    Math.max(1, Math.round(picture.height * factor)),
  );
  small.getContext("2d").drawImage(picture, 0, 0, small.width, small.height);
  return small.convertToBlob({ type: "image/jpeg", quality });
};

// A result is {id, kind, name, text, file, still, answer, moments}: a picture's has an answer, a film's moments and
// a still of its last frame, a camera's an answer and moments. `picture` is an ImageBitmap of it without its marks;
// it is not kept.
export async function remember(result, picture) {
  const button = element("button");
  button.type = "button";
  const image = element("img");
  image.alt = "";
  image.decoding = "async";
  image.src = URL.createObjectURL(await shrink(picture, THUMBNAIL_PX, 0.8));
  button.append(image, element("span", "", result.name), element("small", "", result.text));
  button.addEventListener("click", () => open(result));
  const item = element("li");
  item.dataset.id = result.id;
  item.append(button);
  forget();
  results.set(result.id, result);
  $("history").prepend(item);
  update();
  if (server) await keep(result, await shrink(picture, MAX_KEPT_PX, 0.9));
}

// Best effort: a result that the server has no room for has its address in this page alone.
async function keep({ id, kind, name, text, answer, moments }, picture) {
  const bytes = new Uint8Array(await picture.arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 0x8000) binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  try {
    await server.keep(id, { kind, name, text, answer, moments, picture: btoa(binary) });
  } catch {
    // The page's next question says what is wrong with the server.
  }
}

async function openKept(id) {
  if (!server) throw new Error("This result is not kept any more: the page that had it was closed, or its list cleared.");
  const { picture, ...fields } = await server.kept(id);
  retell(fields);
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const file = new File([bytes], fields.name, { type: "image/jpeg" });
  return { ...fields, id, file, isStill: true };
}

async function openAddress() {
  const id = location.hash.slice(1);
  if (id && !isName(id)) return; // a place in the page
  if (!id) {
    stop("superseded");
    take();
    showStart();
    return;
  }
  try {
    const result = results.get(id) ?? (await openKept(id));
    if (location.hash === `#${id}`) open(result);
  } catch (error) {
    take();
    showStart();
    showError(error.message);
  }
}

// `show` shows a result that is there.
export function startHistory(show) {
  open = (result) => {
    address(result.id);
    show(result);
  };
  window.addEventListener("popstate", openAddress);
  if (location.hash.length > 1) openAddress();
}

// A picture's faces in words anew, after a change of what counts as unsure.
function retell(result) {
  if (result.kind === "picture") result.text = verdict(result.answer.faces);
}

export function retellAll() {
  for (const item of [...$("history").children, ...cleared]) {
    const result = results.get(item.dataset.id);
    retell(result);
    item.querySelector("small").textContent = result.text;
  }
}

function update() {
  const count = $("history").children.length;
  $("session").hidden = !count && !cleared.length;
  $("no-history").hidden = count > 0;
  $("clear").hidden = !count && !cleared.length;
  $("clear").textContent = cleared.length ? "Undo: bring the list back" : "Clear the list";
}

function forget() {
  for (const item of cleared) {
    URL.revokeObjectURL(item.querySelector("img").src);
    results.delete(item.dataset.id);
  }
  cleared = [];
}

export function clearOrUndo() {
  if (cleared.length) {
    $("history").replaceChildren(...cleared);
    cleared = [];
  } else {
    cleared = [...$("history").children];
    $("history").replaceChildren();
  }
  update();
}
