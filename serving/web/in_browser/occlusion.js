// Why an answer: by how much it falls while a spot of the face is covered, as `emotion explain` finds it.

// The copies of a face that the network is asked about: as it is, then each with a square covered by the face's own
// light, blurred. `pixels`: float32 [size * size] in [0, 1]; `cover` and `step` in pixels.
export function coveredCopies(pixels, size, { cover_px: cover, step_px: step }) {
  const blurred = blur(pixels, size, cover);
  const covers = [];
  for (let top = step - cover; top < size; top += step) for (let left = step - cover; left < size; left += step) covers.push([left, top]);
  const copies = new Float32Array((covers.length + 1) * size ** 2);
  copies.set(pixels);
  covers.forEach((place, index) => {
    const copy = copies.subarray((index + 1) * size ** 2, (index + 2) * size ** 2);
    copy.set(pixels);
    within(place, cover, size, (at) => (copy[at] = blurred[at]));
  });
  return { covers, copies };
}

// [size][size]: by how much the probability falls on average while a pixel is covered. `left`: the probabilities of the
// copies, that of the face as it is before them.
export function meanFalls(covers, [plain, ...left], size, { cover_px: cover }) {
  const sums = new Float64Array(size ** 2);
  const counts = new Float64Array(size ** 2);
  covers.forEach((place, index) => {
    within(place, cover, size, (at) => {
      sums[at] += plain - left[index];
      counts[at] += 1;
    });
  });
  return Array.from({ length: size }, (_, y) => Array.from({ length: size }, (_, x) => sums[y * size + x] / counts[y * size + x]));
}

function within([left, top], cover, size, action) {
  for (let y = Math.max(top, 0); y < Math.min(top + cover, size); y++)
    for (let x = Math.max(left, 0); x < Math.min(left + cover, size); x++) action(y * size + x);
}

// cv2.GaussianBlur of float32 with the kernel's size left to it; past the edge, the edge's pixels go on.
function blur(pixels, size, sigma) {
  const reach = 4 * sigma;
  const weights = Array.from({ length: 2 * reach + 1 }, (_, index) => Math.exp(-((index - reach) ** 2) / (2 * sigma ** 2)));
  const all = weights.reduce((sum, weight) => sum + weight, 0);
  const clamp = (place) => Math.max(0, Math.min(place, size - 1));
  const pass = (source, at) =>
    Float64Array.from(source, (_, index) => {
      const [y, x] = [Math.floor(index / size), index % size];
      return weights.reduce((sum, weight, k) => sum + weight * source[at(x, y, k - reach)], 0) / all;
    });
  const across = pass(pixels, (x, y, step) => y * size + clamp(x + step));
  return pass(across, (x, y, step) => clamp(y + step) * size + x);
}
