// Emotions over time: a row for each emotion, in which its probability is the height, so that place and height
// tell, and not the colour alone. Of all faces it is their mean, of one face its own.

import { colourOf, labelNames } from "./ask.js";
import { element, percent } from "./draw.js";

const ROW_PX = 26;
const AXIS_PX = 20;
const NAMES_PX = 72;
const GAP_SECONDS = 1; // without a face for longer, the curve is broken
const MAX_CURVES = 30; // faces that can be chosen: those that are seen longest
const PAUSE_MS = 250; // between two drawings while a film runs
const $ = (id) => document.getElementById(id);

let moments = []; // {seconds, answer: {faces}}, in the order of the film
let points = []; // {seconds, label, values} of the faces that are drawn
let here = null; // the place in the film, in seconds
let drawn = 0;
let later = 0;

const meanOf = (faces) =>
  labelNames().map((name) => faces.reduce((sum, face) => sum + (face.probabilities[name] ?? 0), 0) / faces.length);

function labelOf(values) {
  return labelNames()[values.indexOf(Math.max(...values))];
}

export function shares(history) {
  const counts = {};
  for (const { answer } of history) {
    if (!answer.faces.length) continue;
    const label = labelOf(meanOf(answer.faces));
    counts[label] = (counts[label] ?? 0) + 1;
  }
  return Object.entries(counts).sort((a, b) => b[1] - a[1]);
}

// Draws at once, or, while a film runs, a few times a second.
export function showTimeline(history, isRunning = false) {
  if (history !== moments) $("curve").replaceChildren();
  moments = history;
  clearTimeout(later);
  const rest = PAUSE_MS - (performance.now() - drawn);
  if (isRunning && rest > 0) later = setTimeout(draw, rest);
  else draw();
}

export function markPlace(seconds) {
  here = seconds;
}

function draw() {
  drawn = performance.now();
  const seen = moments.filter(({ answer }) => answer.faces.length);
  $("timeline-box").hidden = seen.length < 2;
  if (seen.length < 2) return;
  listCurves(seen);
  const wanted = $("curve").value;
  points = seen.flatMap(({ seconds, answer }) => {
    const faces = wanted === "all" ? answer.faces : answer.faces.filter((face) => String(face.track) === wanted);
    if (!faces.length) return [];
    const values = meanOf(faces);
    return [{ seconds, values, label: labelOf(values) }];
  });
  const told = shares(seen).map(([name, count]) => `${name} ${percent(count / seen.length)}`);
  $("timeline-text").textContent = `Of the frames with a face: ${told.join(", ")}.`;
  paint();
}

function listCurves(seen) {
  const counts = new Map();
  for (const { answer } of seen) for (const { track } of answer.faces) counts.set(track, (counts.get(track) ?? 0) + 1);
  const longest = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MAX_CURVES);
  const names = ["all", ...longest.map(([track]) => track).sort((a, b) => a - b).map(String)];
  const select = $("curve");
  if (names.length === select.options.length && names.every((name, index) => select.options[index].value === name)) return;
  const before = select.value;
  const option = (name) => Object.assign(element("option", "", name === "all" ? "all faces" : `face ${name}`), { value: name });
  select.replaceChildren(...names.map(option));
  select.value = names.includes(before) ? before : "all";
}

// From the film's beginning, where it is known to have begun.
const span = () => {
  const begin = moments[0].seconds;
  return { begin, length: Math.max(moments.at(-1).seconds - begin, 0.1) };
};

function paint() {
  if (!points.length || $("timeline-box").hidden) return;
  const canvas = $("timeline");
  const names = labelNames();
  const zoom = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = names.length * ROW_PX + AXIS_PX;
  canvas.style.height = `${height}px`;
  canvas.width = Math.round(width * zoom);
  canvas.height = Math.round(height * zoom);
  const context = canvas.getContext("2d");
  context.scale(zoom, zoom);
  context.fillStyle = "#1c1c1e"; // dark in both themes: yellow and gray are hard to see on white
  context.fillRect(0, 0, width, height);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  const { begin, length } = span();
  const place = (seconds) => NAMES_PX + ((seconds - begin) / length) * (width - NAMES_PX - 1);
  names.forEach((name, row) => {
    const floor = (row + 1) * ROW_PX - 1;
    context.fillStyle = "#ececec";
    context.fillText(name, 6, (row + 0.5) * ROW_PX);
    context.fillStyle = "#3a3c40";
    context.fillRect(NAMES_PX, floor, width - NAMES_PX, 1);
    context.fillStyle = colourOf(name);
    points.forEach(({ seconds, values }, index) => {
      const next = points[index + 1];
      const isGap = !next || next.seconds - seconds > GAP_SECONDS;
      const left = place(seconds);
      const right = Math.max(isGap ? left + 2 : place(next.seconds), left + 1);
      const tall = (ROW_PX - 4) * values[row];
      context.beginPath();
      context.moveTo(left, floor);
      context.lineTo(left, floor - tall);
      context.lineTo(right, floor - (isGap ? tall : (ROW_PX - 4) * next.values[row]));
      context.lineTo(right, floor);
      context.fill();
    });
  });
  context.fillStyle = "#ececec";
  for (const [share, align] of [[0, "left"], [0.5, "center"], [1, "right"]]) {
    context.textAlign = align;
    const seconds = begin + share * length;
    context.fillText(`${seconds.toFixed(1)} s`, place(seconds), height - AXIS_PX / 2);
  }
  if (here !== null && here >= begin && here <= begin + length) {
    context.fillStyle = "#fff";
    context.fillRect(place(here) - 1, 0, 2, height - AXIS_PX);
  }
}

// `pick` is told the time that was clicked.
export function startTimeline(pick) {
  window.addEventListener("resize", paint);
  $("curve").addEventListener("change", draw);
  const momentAt = (event) => {
    const bounds = $("timeline").getBoundingClientRect();
    const { begin, length } = span();
    const share = (event.clientX - bounds.left - NAMES_PX) / (bounds.width - NAMES_PX);
    const seconds = begin + Math.min(1, Math.max(0, share)) * length;
    const away = (point) => Math.abs(point.seconds - seconds);
    return points.reduce((nearest, point) => (away(point) < away(nearest) ? point : nearest));
  };
  $("timeline").addEventListener("pointermove", (event) => {
    if (!points.length) return;
    const { seconds, label, values } = momentAt(event);
    $("moment").textContent = `${seconds.toFixed(1)} s: ${label} ${percent(Math.max(...values))}`;
  });
  $("timeline").addEventListener("pointerleave", () => ($("moment").textContent = ""));
  $("timeline").addEventListener("click", (event) => points.length && pick(momentAt(event).seconds));
}
