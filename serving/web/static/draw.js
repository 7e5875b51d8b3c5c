// Words for faces, and the marks on a picture.

import { colourOf, unsureBelow } from "./ask.js";

const NEAR = 0.1; // between the first and the second: less is no verdict

let limit = null; // the user's own bound; null for the one that the page came with

export const unsureLimit = () => limit ?? unsureBelow();
export const setUnsureLimit = (value) => (limit = value);

export const percent = (value) => `${Math.round(100 * value)} %`;
export const plural = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// The two likeliest names, and whether they are too near each other to choose, or too unlikely.
export function judge(face) {
  const [[, most], [second, less]] = Object.entries(face.probabilities).sort((a, b) => b[1] - a[1]);
  return { label: face.label, second, unsure: most - less < NEAR || most < unsureLimit() };
}

export function nameOf(face) {
  const { label, second, unsure } = judge(face);
  const share = percent(face.probabilities[label]);
  return unsure ? `${label} ${share} or ${second} ${percent(face.probabilities[second])}: unsure` : `${label} ${share}`;
}

export function verdict(faces) {
  if (!faces.length) return "no face was found";
  const counts = {};
  for (const face of faces) {
    const { label, unsure } = judge(face);
    const name = unsure ? "unsure" : label;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
  return `${plural(faces.length, "face")}: ${parts.join(", ")}`;
}

const overlap = (a, b) =>
  a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;

// Where each face's tag goes: its words where they hide no other face and no other tag, else its number.
// Boxes and answers are {left, top, width, height} in the canvas's pixels; `measure` gives a text's width.
export function placeTags(boxes, texts, { width, height }, size, measure) {
  const placed = [];
  const pad = size * 0.4;
  const tall = size * 1.5;
  const places = (box, wide) => {
    const left = Math.max(0, Math.min(box.left, width - wide));
    const right = Math.max(0, Math.min(box.left + box.width - wide, width - wide));
    const inside = (top) => Math.max(0, Math.min(top, height - tall));
    const bottom = box.top + box.height;
    return {
      head: box.top - tall >= 0 ? { left, top: box.top - tall } : { left, top: inside(box.top) },
      // Beside and below the face, and over it only where nothing else is left.
      rest: [
        { left: box.left + box.width, top: inside(box.top) },
        { left: box.left - wide, top: inside(box.top) },
        { left, top: bottom },
        { left: right, top: inside(bottom - tall) },
      ].filter((place) => place.left >= 0 && place.left + wide <= width && place.top + tall <= height),
    };
  };
  const tags = (box, text) => {
    const wide = measure(text) + 2 * pad;
    const { head, rest } = places(box, wide);
    return [head, ...rest].map((place) => ({ ...place, width: wide, height: tall }));
  };
  const numbers = boxes.map((box, index) => tags(box, texts[index].number));
  boxes.forEach((box, index) => {
    const others = boxes.filter((other) => other !== box);
    const heads = numbers.filter((_, other) => other !== index).map(([head]) => head);
    const [words] = tags(box, texts[index].words);
    const number = numbers[index];
    const free = (place) => !placed.some((tag) => overlap(tag, place));
    const clear = (place) => free(place) && !others.some((other) => overlap(other, place));
    // Words leave the others room for their numbers, and stand above their own face alone.
    const full = clear(words) && !heads.some((head) => overlap(head, words));
    const short = number.find(clear) ?? number.find(free);
    if (full) placed.push({ ...words, text: texts[index].words, index });
    else if (short) placed.push({ ...short, text: texts[index].number, index });
    // A face that is smaller than a digit has no tag: its box and the list tell it.
  });
  return placed;
}

// Marks on a canvas that holds the picture; `zoom` is its pixels for one of the screen, `chosen` a face's number.
export function drawFaces(context, answer, zoom, chosen = null) {
  const { width, height } = context.canvas;
  const factor = width / answer.width;
  const line = 2.5 * zoom;
  const size = 13 * zoom;
  context.lineJoin = "round";
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  const boxes = answer.faces.map((face) => ({
    left: face.left * factor,
    top: face.top * factor,
    width: face.width * factor,
    height: face.height * factor,
  }));
  answer.faces.forEach((face, index) => {
    const box = boxes[index];
    const strong = face.track === chosen ? 2 * zoom : 0;
    const rings = [[2 * zoom, "#111"], [0, colourOf(face.label)]];
    if (strong) rings.unshift([4 * zoom, "#fff"]);
    for (const [extra, stroke] of rings) {
      context.lineWidth = line + strong + extra;
      context.strokeStyle = stroke;
      context.strokeRect(box.left, box.top, box.width, box.height);
    }
  });
  const texts = answer.faces.map((face) => {
    const { label, second, unsure } = judge(face);
    const name = unsure ? `${label} or ${second}?` : `${label} ${percent(face.probabilities[label])}`;
    return { words: `${face.track}  ${name}`, number: `${face.track}` };
  });
  for (const tag of placeTags(boxes, texts, { width, height }, size, (text) => context.measureText(text).width)) {
    context.fillStyle = colourOf(answer.faces[tag.index].label);
    context.fillRect(tag.left, tag.top, tag.width, tag.height);
    context.fillStyle = "#111";
    context.fillText(tag.text, tag.left + size * 0.4, tag.top + tag.height / 2);
  }
}
