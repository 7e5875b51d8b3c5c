// Faces that do not stand, and pictures that do not: which way up a face is, by its landmarks, and searches of a picture
// turned by quarters, as the command does it. A turn is a number of quarters against the clock.

const UPRIGHT_DEGREES = 60; // landmarks are off by 20 degrees at times
const TURNS = [2, 1, 3];

const sum = (values) => values.reduce((total, value) => total + value, 0);

// The direction from the left eye to the right one, by eyes and mouth together.
function along([left, right, , mouthLeft, mouthRight]) {
  const down = [0, 1].map((i) => (mouthLeft[i] + mouthRight[i] - left[i] - right[i]) / 2);
  // A quarter turn counterclockwise of what leads from the eyes to the mouth; y grows downwards.
  const x = right[0] - left[0] + mouthRight[0] - mouthLeft[0] + down[1];
  const y = right[1] - left[1] + mouthRight[1] - mouthLeft[1] - down[0];
  return x || y ? [x, y] : [1, 0];
}

// Degrees by which a face is turned clockwise, in (-180, 180].
export function rollOf(landmarks) {
  const [x, y] = along(landmarks);
  return (Math.atan2(y, x) * 180) / Math.PI;
}

// How far the nose stands aside of the middle of eyes and mouth, in halves of the distance of the eyes.
export function yawOf(landmarks) {
  const [left, right, nose, ...mouth] = landmarks;
  const around = [left, right, ...mouth];
  const [x, y] = along(landmarks);
  const aside = [0, 1].map((i) => nose[i] - sum(around.map((point) => point[i])) / around.length);
  const distance = Math.hypot(right[0] - left[0], right[1] - left[1]);
  return (2 * ((aside[0] * x + aside[1] * y) / Math.hypot(x, y))) / Math.max(distance, 1e-6);
}

// By which turn a face would stand.
export function turnOf(landmarks) {
  const roll = rollOf(landmarks);
  if (Math.abs(roll) < UPRIGHT_DEGREES) return 0;
  if (Math.abs(roll) > 180 - UPRIGHT_DEGREES) return 2;
  return roll > 0 ? 1 : 3;
}

// Pixels, an entry each, row by row, turned; what comes out has the sides swapped where the turn is odd.
export function turnPixels(pixels, width, height, turn) {
  if (!turn) return pixels;
  const turned = new pixels.constructor(pixels.length);
  const [wide, high] = turn === 2 ? [width, height] : [height, width];
  for (let y = 0; y < high; y++)
    for (let x = 0; x < wide; x++) {
      const [column, row] = [[width - 1 - y, x], [width - 1 - x, height - 1 - y], [y, height - 1 - x]][turn - 1];
      turned[y * wide + x] = pixels[row * width + column];
    }
  return turned;
}

// A picture that is turned, read part by part as the picture itself is.
export function turnedPicture({ width, height, read }, turn) {
  const turned = (left, top, wide, high) => {
    const [x, y] = [[width - top - high, left], [width - left - wide, height - top - high], [top, height - left - wide]][turn - 1];
    const [across, down] = turn === 2 ? [wide, high] : [high, wide];
    const pixels = new Uint32Array(read(x, y, across, down).buffer);
    return new Uint8ClampedArray(turnPixels(pixels, across, down, turn).buffer);
  };
  return turn === 2 ? { width, height, read: turned } : { width: height, height: width, read: turned };
}

// A face of a turned picture, where it is in the picture itself.
function turnedBack(box, turn, { width, height }) {
  const back = ([x, y]) => [[width - y, x], [width - x, height - y], [y, height - x]][turn - 1];
  const [first, second] = [back([box.left, box.top]), back([box.left + box.width, box.top + box.height])];
  return {
    ...box,
    left: Math.min(first[0], second[0]),
    top: Math.min(first[1], second[1]),
    width: Math.abs(first[0] - second[0]),
    height: Math.abs(first[1] - second[1]),
    landmarks: box.landmarks.map(back),
  };
}

// The faces that `search` finds in a picture, or in it turned where it finds none, or mostly ones that are not upright.
export async function searchAnyTurn(picture, search) {
  const found = await search(picture);
  const turns = found.map((box) => turnOf(box.landmarks));
  if (2 * turns.filter((turn) => turn === 0).length > turns.length) return found;
  const lying = [...new Set(turns)].filter(Boolean).sort();
  const tries = [found];
  for (const turn of lying.length ? lying : TURNS) {
    const boxes = await search(turnedPicture(picture, turn));
    tries.push(boxes.map((box) => turnedBack(box, turn, picture)));
  }
  const sureness = (boxes) => sum(boxes.map((box) => box.score));
  return tries.reduce((best, boxes) => (sureness(boxes) > sureness(best) ? boxes : best));
}
