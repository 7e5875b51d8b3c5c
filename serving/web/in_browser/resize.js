// OpenCV's scaling of 8-bit pixels in its own arithmetic, so that the browser looks at the pixels that the command does.
//
// A source is {width, height, read}: read(left, top, width, height) gives RGBA bytes of that part of it.

const ONE = 2048; // of which OpenCV's linear weights are whole numbers
const CUBIC = -0.75;
const BAND_ROWS = 32; // of the result at a time: a picture of 64 million pixels is never held a second time

// To the nearest whole number, and of two the even one, as OpenCV and Python round.
export function roundHalfEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  return rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
}

const clamp = (value, most) => Math.max(0, Math.min(value, most));
const toByte = (value) => clamp(roundHalfEven(value), 255);

// Where each pixel of a scaled line comes from: the pixel at its left, and how far it is from that to the next.
function places(from, to) {
  const scale = 1 / (to / from);
  return Array.from({ length: to }, (_, index) => {
    const place = Math.fround((index + 0.5) * scale - 0.5);
    const start = Math.floor(place);
    return { start, share: Math.fround(place - start) };
  });
}

// cv2.resize(rgb, (width, height)): float32 [3, height, width], whole levels.
export function resizeLinear(source, width, height) {
  const planes = new Float32Array(3 * width * height);
  if (source.width === 2 * width && source.height === 2 * height) halve(source, width, height, planes);
  else if (source.width === width && source.height === height) copy(source, planes);
  else interpolate(source, width, height, planes);
  return planes;
}

function copy({ width, height, read }, planes) {
  const area = width * height;
  const pixels = read(0, 0, width, height);
  for (let i = 0; i < area; i++) for (let c = 0; c < 3; c++) planes[c * area + i] = pixels[4 * i + c];
}

// At exactly half the size OpenCV takes the mean of four.
function halve(source, width, height, planes) {
  const area = width * height;
  for (let y = 0; y < height; y++) {
    const pixels = source.read(0, 2 * y, source.width, 2);
    const next = 4 * source.width;
    for (let x = 0; x < width; x++)
      for (let c = 0; c < 3; c++) {
        const at = 8 * x + c;
        planes[c * area + y * width + x] = (pixels[at] + pixels[at + 4] + pixels[at + next] + pixels[at + next + 4] + 2) >> 2;
      }
  }
}

function interpolate(source, width, height, planes) {
  const area = width * height;
  const columns = places(source.width, width).map(({ start, share }) => {
    const inside = start >= 0 && start < source.width - 1;
    return {
      left: 4 * clamp(start, source.width - 1),
      right: 4 * clamp(start + 1, source.width - 1),
      before: inside ? roundHalfEven((1 - share) * ONE) : ONE,
      after: inside ? roundHalfEven(share * ONE) : 0,
    };
  });
  const rows = places(source.height, height);
  for (let band = 0; band < height; band += BAND_ROWS) {
    const end = Math.min(band + BAND_ROWS, height);
    const first = clamp(rows[band].start, source.height - 1);
    const last = clamp(rows[end - 1].start + 1, source.height - 1);
    const pixels = source.read(0, first, source.width, last - first + 1);
    for (let y = band; y < end; y++) {
      const { start, share } = rows[y];
      const upper = 4 * source.width * (clamp(start, source.height - 1) - first);
      const lower = 4 * source.width * (clamp(start + 1, source.height - 1) - first);
      const above = roundHalfEven((1 - share) * ONE);
      const below = roundHalfEven(share * ONE);
      for (let x = 0; x < width; x++) {
        const { left, right, before, after } = columns[x];
        for (let c = 0; c < 3; c++) {
          const high = pixels[upper + left + c] * before + pixels[upper + right + c] * after;
          const low = pixels[lower + left + c] * before + pixels[lower + right + c] * after;
          planes[c * area + y * width + x] = (((above * (high >> 4)) >> 16) + ((below * (low >> 4)) >> 16) + 2) >> 2;
        }
      }
    }
  }
}

// cv2.resize of a gray square of bytes to [size, size]: INTER_AREA to a smaller one, INTER_CUBIC to a larger one.
export function resizeSquare(gray, side, size) {
  if (side === size) return gray;
  if (side < size) return cubic(gray, side, size);
  return side % size === 0 ? means(gray, side, size) : areas(gray, side, size);
}

function means(gray, side, size) {
  const step = side / size;
  const result = new Uint8Array(size * size);
  const share = Math.fround(1 / (step * step));
  for (let y = 0; y < size; y++)
    for (let x = 0; x < size; x++) {
      let sum = 0;
      for (let i = 0; i < step; i++) for (let j = 0; j < step; j++) sum += gray[(y * step + i) * side + x * step + j];
      result[y * size + x] = step === 2 ? (sum + 2) >> 2 : toByte(Math.fround(sum * share));
    }
  return result;
}

// The pixels that each pixel of a smaller line covers, with the share of it that each is.
function covered(side, size) {
  const scale = side / size;
  return Array.from({ length: size }, (_, index) => {
    const begin = index * scale;
    const end = begin + scale;
    const wide = Math.min(scale, side - begin);
    const last = Math.min(Math.floor(end), side - 1);
    const first = Math.min(Math.ceil(begin), last);
    const parts = [];
    if (first - begin > 1e-3) parts.push([first - 1, Math.fround((first - begin) / wide)]);
    for (let at = first; at < last; at++) parts.push([at, Math.fround(1 / wide)]);
    if (end - last > 1e-3) parts.push([last, Math.fround(Math.min(end - last, 1, wide) / wide)]);
    return parts;
  });
}

function areas(gray, side, size) {
  const parts = covered(side, size);
  const result = new Uint8Array(size * size);
  const sums = new Float32Array(size);
  const line = new Float32Array(size);
  parts.forEach((rows, y) => {
    sums.fill(0);
    for (const [row, high] of rows) {
      parts.forEach((columns, x) => {
        let sum = 0;
        for (const [column, wide] of columns) sum = Math.fround(sum + Math.fround(gray[row * side + column] * wide));
        line[x] = sum;
      });
      for (let x = 0; x < size; x++) sums[x] += Math.fround(high * line[x]);
    }
    for (let x = 0; x < size; x++) result[y * size + x] = toByte(sums[x]);
  });
  return result;
}

function cubicWeights(share) {
  const far = share + 1;
  const near = 1 - share;
  const first = ((CUBIC * far - 5 * CUBIC) * far + 8 * CUBIC) * far - 4 * CUBIC;
  const second = ((CUBIC + 2) * share - (CUBIC + 3)) * share * share + 1;
  const third = ((CUBIC + 2) * near - (CUBIC + 3)) * near * near + 1;
  return [first, second, third, 1 - first - second - third];
}

// In fractions: so does the library for Intel's processors that OpenCV's packages use.
function cubic(gray, side, size) {
  const line = places(side, size).map(({ start, share }) => ({
    at: [-1, 0, 1, 2].map((step) => clamp(start + step, side - 1)),
    weights: cubicWeights(share),
  }));
  const across = new Float64Array(side * size);
  for (let y = 0; y < side; y++)
    line.forEach(({ at, weights }, x) => {
      across[y * size + x] = at.reduce((sum, column, k) => sum + gray[y * side + column] * weights[k], 0);
    });
  const result = new Uint8Array(size * size);
  line.forEach(({ at, weights }, y) => {
    for (let x = 0; x < size; x++) {
      result[y * size + x] = toByte(at.reduce((sum, row, k) => sum + across[row * size + x] * weights[k], 0));
    }
  });
  return result;
}
