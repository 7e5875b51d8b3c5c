// The dominant emotion over time: a row for each emotion, so that the place tells and not the colour alone.

import { colourOf, labelNames } from "./ask.js";
import { percent } from "./draw.js";

const ROW_PX = 18;
const AXIS_PX = 20;
const NAMES_PX = 72;
const GAP_SECONDS = 1; // without a face for longer, the row is empty
const $ = (id) => document.getElementById(id);

let history = []; // {seconds, label}, in the order of the film

export function shares(moments) {
  const counts = {};
  for (const { label } of moments) counts[label] = (counts[label] ?? 0) + 1;
  return Object.entries(counts).sort((a, b) => b[1] - a[1]);
}

export function showTimeline(moments) {
  history = moments;
  $("timeline-box").hidden = history.length < 2;
  if (history.length < 2) return;
  const parts = shares(history).map(([name, count]) => `${name} ${percent(count / history.length)}`);
  $("timeline-text").textContent = `Of the frames with a face: ${parts.join(", ")}.`;
  $("timeline").setAttribute("aria-label", `Dominant emotion over time. ${$("timeline-text").textContent}`);
  paint();
}

const span = () => {
  const begin = history[0].seconds;
  return { begin, length: Math.max(history.at(-1).seconds - begin, 0.1) };
};

function paint() {
  if (history.length < 2) return;
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
    context.fillStyle = "#ececec";
    context.fillText(name, 6, (row + 0.5) * ROW_PX);
    context.fillStyle = "#3a3c40";
    context.fillRect(NAMES_PX, (row + 1) * ROW_PX - 1, width - NAMES_PX, 1);
  });
  history.forEach(({ seconds, label }, index) => {
    const next = Math.min(history[index + 1]?.seconds ?? seconds, seconds + GAP_SECONDS);
    context.fillStyle = colourOf(label);
    const left = place(seconds);
    context.fillRect(left, names.indexOf(label) * ROW_PX + 3, Math.max(place(next) - left, 2), ROW_PX - 6);
  });
  context.fillStyle = "#ececec";
  for (const [share, align] of [[0, "left"], [0.5, "center"], [1, "right"]]) {
    context.textAlign = align;
    const seconds = begin + share * length;
    context.fillText(`${seconds.toFixed(1)} s`, place(seconds), height - AXIS_PX / 2);
  }
}

export function startTimeline() {
  window.addEventListener("resize", paint);
  $("timeline").addEventListener("pointermove", (event) => {
    if (history.length < 2) return;
    const bounds = $("timeline").getBoundingClientRect();
    const { begin, length } = span();
    const seconds = begin + ((event.clientX - bounds.left - NAMES_PX) / (bounds.width - NAMES_PX)) * length;
    const moment = history.findLast((entry) => entry.seconds <= seconds) ?? history[0];
    $("moment").textContent = `${moment.seconds.toFixed(1)} s: ${moment.label}`;
  });
  $("timeline").addEventListener("pointerleave", () => ($("moment").textContent = ""));
}
