// The stage: what is shown, and whose it is. Each action takes it, which ends the one before.

import { drawFaces, element } from "./draw.js";
import { chooseFace, chosenFace, listFaces, onChosen } from "./faces.js";
import { withdrawWhy } from "./why.js";

const MAX_VIEW_PX = 1600; // longest side of a picture as it is kept for the stage
const PARTS = ["play-row", "camera-row", "timeline-box", "take"];
const $ = (id) => document.getElementById(id);

let owner = null; // the AbortController of the action under way
let letGo = () => {}; // of a film that is still loaded when its action has ended
const source = document.createElement("canvas"); // the picture without marks, to be drawn anew after a resize
let answer = null;

// Ends the action under way and begins another; its signal is aborted when it must end.
export function take() {
  stop("superseded");
  hold(() => {});
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
export const isIdle = () => owner === null;
// Whether no other action has come since.
export const isFree = (signal) => owner === null || owner.signal === signal;

// What is called when the stage goes to another action, or to another film of the same one.
export function hold(release) {
  letGo();
  letGo = release;
}

export function say(text) {
  $("status").textContent = text;
}

export function progress(text) {
  $("progress").hidden = !text;
  $("progress-text").textContent = text;
}

export function showError(text) {
  // What is told already is not told again.
  if ([...$("error").children].some((one) => one.textContent === text)) return;
  $("error").append(element("p", "", text));
  $("error").hidden = false;
}

export function clearErrors() {
  $("error").replaceChildren();
  $("error").hidden = true;
}

const setView = (name) => (document.body.dataset.view = name);

export function showStart() {
  showNothing("No picture yet.");
  say("");
  setView("start");
}

export function showNothing(text) {
  answer = null;
  source.width = source.height = 0;
  withdrawWhy();
  setView("result");
  $("view").hidden = true;
  $("caption").textContent = "";
  $("empty").textContent = text;
  $("empty").hidden = false;
  for (const id of PARTS) $(id).hidden = true;
  listFaces([], source);
  $("no-faces").textContent = "The faces and their probabilities appear here.";
}

// Which of the rows below the picture there are.
export function showParts(...names) {
  withdrawWhy();
  for (const id of PARTS) $(id).hidden = !names.includes(id);
}

// Shows a picture (anything that a canvas draws) with the faces in it; a null answer has none as yet.
export function showPicture(picture, width, height, faces, name) {
  const factor = Math.min(1, MAX_VIEW_PX / Math.max(width, height));
  source.width = Math.max(1, Math.round(width * factor));
  source.height = Math.max(1, Math.round(height * factor));
  source.getContext("2d").drawImage(picture, 0, 0, source.width, source.height);
  answer = faces;
  setView("result");
  $("empty").hidden = true;
  $("view").hidden = false;
  if ($("caption").textContent !== name) {
    $("caption").textContent = name;
    $("faces").scrollTop = 0;
    chooseFace(null);
  }
  redraw();
}

// Draws picture and list anew, after a change of what counts as unsure too.
export function redraw() {
  paint();
  if (answer) listFaces(answer.faces, source, source.width / answer.width);
}

// The canvas has the screen's own pixels and the picture's shape, whatever room there is.
function paint() {
  if (!source.width) return;
  const canvas = $("canvas");
  const room = { width: $("view").clientWidth, height: 0.66 * window.innerHeight };
  const factor = Math.min(room.width / source.width, room.height / source.height, 2);
  const zoom = Math.min(window.devicePixelRatio || 1, 2);
  canvas.style.width = `${source.width * factor}px`;
  canvas.style.height = `${source.height * factor}px`;
  canvas.width = Math.max(1, Math.round(source.width * factor * zoom));
  canvas.height = Math.max(1, Math.round(source.height * factor * zoom));
  const context = canvas.getContext("2d");
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  if (answer) drawFaces(context, answer, zoom, chosenFace());
}

export function startStage() {
  window.addEventListener("resize", paint);
  onChosen(redraw);
  $("canvas").addEventListener("click", (event) => {
    if (!answer) return;
    const bounds = $("canvas").getBoundingClientRect();
    const factor = answer.width / bounds.width;
    const [x, y] = [(event.clientX - bounds.left) * factor, (event.clientY - bounds.top) * factor];
    // Of faces that overlap, the smallest.
    const [hit] = answer.faces
      .filter((face) => x >= face.left && x < face.left + face.width && y >= face.top && y < face.top + face.height)
      .sort((a, b) => a.width * a.height - b.width * b.height);
    chooseFace(hit?.track ?? null, true);
  });
}
