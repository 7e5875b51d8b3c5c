// The list of faces: each cut out of the picture, with what it shows; choosing one marks its box, and the other way round.

import { colourOf, labelNames } from "./ask.js";
import { element, nameOf, percent } from "./draw.js";
import { newWhy, updateWhy } from "./why.js";

const CROP_PX = 112; // twice what it is shown at, for sharp screens
const MARGIN = 0.15; // of the face's box, around it
const TOLD_FROM = 0.05; // bars of less say nothing; a chosen face has them all
const $ = (id) => document.getElementById(id);

let chosen = null; // a face's number
let tell = () => {};

export const chosenFace = () => chosen;
export const onChosen = (action) => (tell = action);

// `isFromPicture`: the list must bring the face into sight.
export function chooseFace(track, isFromPicture = false) {
  if (chosen === track) return;
  chosen = track;
  tell();
  if (isFromPicture) $("faces").querySelector('[aria-pressed="true"]')?.scrollIntoView({ block: "nearest" });
}

// `factor`: pixels of `picture` for one of the faces' coordinates.
export function listFaces(faces, picture, factor = 1) {
  const list = $("faces");
  $("no-faces").hidden = faces.length > 0;
  $("no-faces").textContent = "No face was found.";
  // A film's list changes ten times a second: its items are used again, so that the focus stays.
  while (list.children.length > faces.length) list.lastChild.remove();
  while (list.children.length < faces.length) list.append(newItem());
  faces.forEach((face, index) => fill(list.children[index], face, picture, factor));
  updateWhy();
}

function newItem() {
  const item = element("li");
  const button = element("button", "face");
  button.type = "button";
  const crop = element("canvas");
  crop.width = crop.height = CROP_PX;
  crop.setAttribute("aria-hidden", "true");
  const verdict = element("span", "verdict");
  button.append(crop, verdict);
  button.addEventListener("click", () => {
    const track = Number(item.dataset.track);
    chooseFace(chosen === track ? null : track);
  });
  const bars = element("dl", "bars");
  for (const name of labelNames()) {
    const row = element("div");
    const amount = element("dd");
    amount.append(bar(colourOf(name)), element("span"));
    row.append(element("dt", "", name), amount);
    bars.append(row);
  }
  const [why, panel] = newWhy();
  const row = element("div", "of-face");
  row.append(button, why);
  item.append(row, bars, element("p", "hint quality"), panel);
  return item;
}

function fill(item, face, picture, factor) {
  item.dataset.track = face.track;
  item.querySelector(".face").setAttribute("aria-pressed", String(face.track === chosen));
  item.querySelector(".verdict").textContent = `Face ${face.track}: ${nameOf(face)}`.replaceAll(" %", "\u00a0%");
  item.querySelector(".quality").textContent = qualityWords(face.quality);
  const side = Math.max(face.width, face.height) * (1 + 2 * MARGIN) * factor;
  const left = (face.left + face.width / 2) * factor - side / 2;
  const top = (face.top + face.height / 2) * factor - side / 2;
  const context = item.querySelector("canvas").getContext("2d");
  context.clearRect(0, 0, CROP_PX, CROP_PX);
  context.drawImage(picture, left, top, side, side, 0, 0, CROP_PX, CROP_PX);
  const values = Object.values(face.probabilities);
  [...item.querySelectorAll(".bars > div")].forEach((row, index) => {
    row.hidden = values[index] < TOLD_FROM && face.track !== chosen;
    row.querySelector("rect").setAttribute("width", `${100 * values[index]}%`);
    row.querySelector("span").textContent = percent(values[index]);
  });
}

// How good the face is, by the names of the table's columns; what is not known is left out.
function qualityWords({ size_px: size, sharpness, roll, yaw } = {}) {
  const known = [
    [size, `${size} px`],
    [sharpness, `sharpness ${sharpness}`],
    [roll, `roll ${roll}°`],
    [yaw, `yaw ${yaw}`],
  ];
  return known.flatMap(([value, words]) => (Number.isFinite(value) ? [words.replace("-", "−")] : [])).join(", ");
}

// SVG attributes, since the Content-Security-Policy forbids inline styles.
function bar(colour) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rectangle = document.createElementNS(space, "rect");
  svg.setAttribute("aria-hidden", "true");
  rectangle.setAttribute("height", "100%");
  rectangle.setAttribute("fill", colour);
  svg.append(rectangle);
  return svg;
}
