// Why a face is answered as it is: by how much the answer falls while a spot of the face is covered, drawn over the face.

import { explainFace } from "./ask.js";
import { element, percent } from "./draw.js";

const SIDE_PX = 240;
const FOR = [213, 94, 0]; // as `emotion explain` draws it: what holds the answer up,
const AGAINST = [0, 114, 178]; // and what speaks against it
const MOST = 0.75; // of the colour, where the fall is the largest
const FEW_POINTS = 0.05; // a spot that takes less decides nothing
const ROWS = ["upper", "middle", "lower"];
const COLUMNS = ["left", "middle", "right"];
const $ = (id) => document.getElementById(id);

let subject = null; // {file, answer}: the picture on the stage, where its faces can be asked about
let open = null; // {face, ended, error}: the face whose reasons are shown
const known = new WeakMap(); // a face's explanation

export function offerWhy(file, answer) {
  withdrawWhy();
  subject = { file, answer };
}

export function withdrawWhy() {
  close();
  subject = null;
}

function close() {
  open?.ended.abort();
  open = null;
}

// The button and the room for its answer, below a face of the list.
export function newWhy() {
  const button = element("button", "ask-why", "Why?");
  button.type = "button";
  button.addEventListener("click", () => toggle(Number(button.closest("li").dataset.track)));
  const panel = element("div", "why");
  const map = element("canvas");
  map.setAttribute("role", "img");
  const told = element("p");
  told.setAttribute("role", "status");
  const failed = element("p", "failed");
  failed.setAttribute("role", "alert");
  const legend = element("p", "hint legend");
  const limits = element("span", "", "It says what the model looks at, not what a person feels.");
  legend.append(element("span", "for"), element("span", "against"), limits);
  panel.append(map, told, failed, legend);
  return [button, panel];
}

// Called when the list has been filled.
export function updateWhy() {
  for (const item of $("faces").children) {
    const track = Number(item.dataset.track);
    const isOpen = open?.face.track === track;
    const button = item.querySelector(".ask-why");
    const panel = item.querySelector(".why");
    button.hidden = !subject;
    button.setAttribute("aria-label", `Why? Face ${track}`);
    button.setAttribute("aria-expanded", String(isOpen));
    button.setAttribute("aria-controls", `why-${track}`);
    panel.id = `why-${track}`;
    panel.hidden = !isOpen;
    if (isOpen) fill(panel);
  }
}

async function toggle(track) {
  const face = subject.answer.faces.find((one) => one.track === track);
  const isClosing = open?.face === face;
  close();
  if (!isClosing) {
    const mine = { face, ended: new AbortController(), error: "" };
    open = mine;
    updateWhy();
    try {
      if (!known.has(face)) known.set(face, await explainFace(subject.file, subject.answer, face, mine.ended.signal));
    } catch (error) {
      mine.error = error.message;
    }
    if (open !== mine) return;
  }
  updateWhy();
}

function fill(panel) {
  const { face, error } = open;
  const explanation = known.get(face);
  const [told, failed] = panel.querySelectorAll("p");
  const set = (element, text) => element.textContent === text || (element.textContent = text); // announced once
  panel.querySelector("canvas").hidden = panel.querySelector(".legend").hidden = !explanation;
  set(failed, error && `Why could not be found out: ${error}`);
  if (!explanation) {
    set(told, error ? "" : "Covering the face spot by spot, and asking the model each time…");
    return;
  }
  const { emotion } = explanation;
  set(told, wordsOf(explanation));
  set(panel.querySelector(".for"), `Orange speaks for “${emotion}”: covering it takes from the answer.`);
  set(panel.querySelector(".against"), `Blue speaks against “${emotion}”.`);
  draw(panel.querySelector("canvas"), explanation);
}

function wordsOf({ emotion, probability, largest_fall: largest, falls }) {
  const points = Math.round(100 * Math.max(largest, 0));
  const amount = `${points} ${points === 1 ? "point" : "points"} of its ${percent(probability)}`;
  if (largest < FEW_POINTS) return `No spot alone decides: whichever is covered, “${emotion}” loses at most ${amount}.`;
  return `“${emotion}” rests most on ${placeOf(falls)} of the face: covering it takes up to ${amount}.`;
}

// The ninth of the face with the largest fall, in words for those who do not see the map.
function placeOf(falls) {
  const third = falls.length / ROWS.length;
  const sums = ROWS.map(() => COLUMNS.map(() => 0));
  falls.forEach((line, y) => line.forEach((fall, x) => (sums[Math.floor(y / third)][Math.floor(x / third)] += fall)));
  const most = Math.max(...sums.flat());
  const row = sums.findIndex((line) => line.includes(most));
  const column = sums[row].indexOf(most);
  const names = row === 1 && column === 1 ? ["middle"] : [ROWS[row], COLUMNS[column]];
  return `the ${names.join(" ")}`;
}

function draw(canvas, { pixels, falls, emotion }) {
  const size = pixels.length;
  const most = Math.max(...falls.flat().map(Math.abs), 1e-9);
  const small = new OffscreenCanvas(size, size);
  const image = new ImageData(size, size);
  pixels.flat().forEach((level, at) => {
    const share = falls[Math.floor(at / size)][at % size] / most;
    const alpha = MOST * Math.abs(share);
    const colour = share > 0 ? FOR : AGAINST;
    image.data.set([...colour.map((part) => level * (1 - alpha) + part * alpha), 255], 4 * at);
  });
  small.getContext("2d").putImageData(image, 0, 0);
  canvas.width = canvas.height = SIDE_PX * Math.min(window.devicePixelRatio || 1, 2);
  canvas.setAttribute("aria-label", `The face in gray; orange speaks for “${emotion}”, blue against it`);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
}
