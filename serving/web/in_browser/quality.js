// How good a face is to be answered about, as the command's table tells it: how large, how sharp, how far turned.

import { roundHalfEven } from "./resize.js";
import { rollOf, yawOf } from "./turns.js";

// `pixels`: float32 [size * size] in [0, 1], what the network is shown.
export function qualityOf({ width, height, landmarks }, pixels, size) {
  return {
    size_px: roundHalfEven(Math.min(width, height)),
    sharpness: roundHalfEven(sharpnessOf(pixels, size)),
    roll: roundHalfEven(rollOf(landmarks)),
    yaw: Number(yawOf(landmarks).toFixed(2)),
  };
}

// Variance of the Laplacian, in levels of 255; past the edge the pixels are mirrored at it.
function sharpnessOf(pixels, size) {
  const mirrored = (place) => (place < 0 ? -place : place >= size ? 2 * size - 2 - place : place);
  const level = (x, y) => Math.fround(pixels[mirrored(y) * size + mirrored(x)] * 255);
  let [sum, squares] = [0, 0];
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      const value = level(x - 1, y) + level(x + 1, y) + level(x, y - 1) + level(x, y + 1) - 4 * level(x, y);
      sum += value;
      squares += value * value;
    }
  const mean = sum / size ** 2;
  return squares / size ** 2 - mean ** 2;
}
