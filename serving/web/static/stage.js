// The stage: what is shown, and whose it is. Each action takes it, which ends the one before.

import { colourOf } from "./ask.js";
import { drawFaces, element, nameOf, percent } from "./draw.js";

const MAX_VIEW_PX = 1600; // longest side of a picture as it is kept for the stage
const $ = (id) => document.getElementById(id);

let owner = null; // the AbortController of the action under way
const source = document.createElement("canvas"); // the picture without marks, to be drawn anew after a resize
let answer = null;

// Ends the action under way and begins another; its signal is aborted when it must end.
export function take() {
  stop("superseded");
  const mine = new AbortController();
  owner = mine;
  mine.signal.addEventListener("abort", () => leave(mine.signal));
  clearErrors();
  return mine.signal;
}

// What an action calls when it has ended by itself.
export function leave(signal) {
  if (owner?.signal !== signal) return;
  owner = null;
  progress("");
}

// Why it must end is the signal's reason: "cancelled" by the user, or "superseded" by another action.
export const stop = (reason) => owner?.abort(reason);

export function say(text) {
  $("status").textContent = text;
}

export function progress(text) {
  $("progress").hidden = !text;
  $("progress-text").textContent = text;
}

export function showError(text) {
  $("error").append(element("p", "", text));
  $("error").hidden = false;
}

export function clearErrors() {
  $("error").replaceChildren();
  $("error").hidden = true;
}

export function showNothing(text) {
  answer = null;
  source.width = source.height = 0;
  $("view").hidden = true;
  $("caption").textContent = "";
  $("empty").textContent = text;
  $("empty").hidden = false;
  for (const id of ["play-row", "timeline-box"]) $(id).hidden = true;
  $("faces").replaceChildren();
  $("no-faces").textContent = "The faces and their seven probabilities appear here.";
  $("no-faces").hidden = false;
}

// Shows a picture (anything that a canvas draws) with the faces in it; a null answer has none as yet.
export function showPicture(picture, width, height, faces, name) {
  const factor = Math.min(1, MAX_VIEW_PX / Math.max(width, height));
  source.width = Math.max(1, Math.round(width * factor));
  source.height = Math.max(1, Math.round(height * factor));
  source.getContext("2d").drawImage(picture, 0, 0, source.width, source.height);
  answer = faces;
  $("empty").hidden = true;
  $("view").hidden = false;
  if ($("caption").textContent !== name) {
    $("caption").textContent = name;
    $("faces").scrollTop = 0;
  }
  paint();
  if (answer) listFaces(answer.faces);
}

// The canvas has the screen's own pixels and the picture's shape, whatever room there is.
function paint() {
  if (!source.width) return;
  const canvas = $("canvas");
  const room = { width: $("view").clientWidth, height: 0.7 * window.innerHeight };
  const factor = Math.min(room.width / source.width, room.height / source.height, 2);
  const zoom = Math.min(window.devicePixelRatio || 1, 2);
  canvas.style.width = `${source.width * factor}px`;
  canvas.style.height = `${source.height * factor}px`;
  canvas.width = Math.max(1, Math.round(source.width * factor * zoom));
  canvas.height = Math.max(1, Math.round(source.height * factor * zoom));
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  if (answer) drawFaces(context, answer, zoom);
}

window.addEventListener("resize", paint);

function listFaces(faces) {
  $("no-faces").hidden = faces.length > 0;
  $("no-faces").textContent = "No face was found.";
  $("faces").replaceChildren(...faces.map(faceItem));
}

function faceItem(face) {
  const item = element("li");
  const title = element("p", "verdict");
  title.append(swatch(face.label), `Face ${face.track}: ${nameOf(face)}`);
  const bars = element("dl", "bars");
  for (const [name, value] of Object.entries(face.probabilities)) {
    const amount = element("dd");
    amount.append(bar(colourOf(name), value), element("span", "", percent(value)));
    bars.append(element("dt", "", name), amount);
  }
  item.append(title, bars);
  return item;
}

// SVG attributes, since the Content-Security-Policy forbids inline styles.
function bar(colour, value) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rectangle = document.createElementNS(space, "rect");
  svg.setAttribute("aria-hidden", "true");
  rectangle.setAttribute("width", `${100 * value}%`);
  rectangle.setAttribute("height", "100%");
  rectangle.setAttribute("fill", colour);
  svg.append(rectangle);
  return svg;
}

function swatch(label) {
  const svg = bar(colourOf(label), 1);
  svg.setAttribute("class", "swatch");
  return svg;
}
