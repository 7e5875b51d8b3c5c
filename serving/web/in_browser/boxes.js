// Where the faces are, and what of them the network is shown: CenterFace's answers made boxes, boxes made crops.

import { resizeSquare, roundHalfEven } from "./resize.js";
import { turnOf, turnPixels } from "./turns.js";

const CELL_PX = 4; // of the detector's maps, in pixels of its input
const MULTIPLE_PX = 32; // of the sides that it takes
const LANDMARKS = 5; // the eyes, the tip of the nose and the mouth's corners
const GRAY = [9798, 19235, 3735]; // of 32768: OpenCV's weights of red, green and blue

const roundUp = (length) => Math.max(MULTIPLE_PX, Math.ceil(length / MULTIPLE_PX) * MULTIPLE_PX);

// Width and height of a picture as it is searched.
export function searchedSize(width, height, longest) {
  const factor = Math.min(1, longest / Math.max(width, height));
  return [roundUp(width * factor), roundUp(height * factor)];
}

// Boxes {left, top, width, height, score, landmarks} in pixels of a picture, the likeliest first; landmarks are [x, y].
// The maps are float32, row by row: heatmap [rows, columns]; logSize and offset [2, rows, columns], of height and width,
// of y and x; points [10, rows, columns], y and x of each landmark in heights and widths of the box, from its corner.
export function findBoxes({ heatmap, logSize, offset, points }, searched, picture, limits) {
  const columns = searched[0] / CELL_PX;
  const cells = heatmap.length;
  const [across, down] = [picture.width / searched[0], picture.height / searched[1]];
  const inside = (value, most) => Math.max(0, Math.min(value, most));
  const found = [];
  heatmap.forEach((score, cell) => {
    if (score <= limits.min_score) return;
    const high = Math.fround(Math.exp(logSize[cell])) * CELL_PX;
    const wide = Math.fround(Math.exp(logSize[cells + cell])) * CELL_PX;
    const y = (Math.floor(cell / columns) + offset[cell] + 0.5) * CELL_PX;
    const x = ((cell % columns) + offset[cells + cell] + 0.5) * CELL_PX;
    const left = inside((x - wide / 2) * across, picture.width);
    const top = inside((y - high / 2) * down, picture.height);
    const width = inside((x + wide / 2) * across, picture.width) - left;
    const height = inside((y + high / 2) * down, picture.height) - top;
    const landmarks = Array.from({ length: LANDMARKS }, (_, index) => [
      (x - wide / 2 + points[(2 * index + 1) * cells + cell] * wide) * across,
      (y - high / 2 + points[2 * index * cells + cell] * high) * down,
    ]);
    found.push({ left, top, width, height, score, landmarks });
  });
  const kept = [];
  for (const box of found.sort((a, b) => b.score - a.score))
    if (kept.every((other) => sharedPart(box, other) <= limits.max_iou)) kept.push(box);
  return kept.filter((box) => Math.min(box.width, box.height) >= limits.min_face_px);
}

// Intersection over union.
export function sharedPart(a, b) {
  const width = Math.min(a.left + a.width, b.left + b.width) - Math.max(a.left, b.left);
  const height = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top);
  const shared = Math.max(width, 0) * Math.max(height, 0);
  return shared && shared / (a.width * a.height + b.width * b.height - shared);
}

// A box's square as the network takes it: float32 [size * size] in [0, 1], upright by its landmarks. Past the edge, the
// edge's pixels go on.
export function cropFace(source, box, { side_per_box: sidePerBox, face_size_px: size }) {
  const side = Math.max(1, roundHalfEven(sidePerBox * Math.sqrt(box.width * box.height)));
  const left = roundHalfEven(box.left + (box.width - side) / 2);
  const top = roundHalfEven(box.top + (box.height - side) / 2);
  const gray = turnPixels(graySquare(source, left, top, side), side, side, turnOf(box.landmarks));
  return Float32Array.from(resizeSquare(gray, side, size), (level) => level / 255);
}

function graySquare(source, left, top, side) {
  const [x0, y0] = [Math.max(left, 0), Math.max(top, 0)];
  const width = Math.min(left + side, source.width) - x0;
  const height = Math.min(top + side, source.height) - y0;
  const pixels = source.read(x0, y0, width, height);
  const gray = new Uint8Array(side * side);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++) {
      const row = Math.max(0, Math.min(top + y - y0, height - 1));
      const at = 4 * (row * width + Math.max(0, Math.min(left + x - x0, width - 1)));
      gray[y * side + x] = (GRAY[0] * pixels[at] + GRAY[1] * pixels[at + 1] + GRAY[2] * pixels[at + 2] + 16384) >> 15;
    }
  return gray;
}

// Numbers a picture's faces from 1 as a page is read: a face begins a new row where its middle is below the lower edge
// of the row's first face.
export function numberAsRead(faces) {
  const middle = (face) => face.top + face.height / 2;
  const rows = [];
  for (const face of [...faces].sort((a, b) => middle(a) - middle(b) || a.left - b.left)) {
    const first = rows.at(-1)?.[0];
    if (first && middle(face) < first.top + first.height) rows.at(-1).push(face);
    else rows.push([face]);
  }
  const ordered = rows.flatMap((row) => row.sort((a, b) => a.left - b.left || a.top - b.top));
  return ordered.map((face, index) => ({ ...face, track: index + 1 }));
}
