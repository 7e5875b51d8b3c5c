// Follows faces from frame to frame and smooths what the model says of each, as the command does in a film.

import { sharedPart } from "./boxes.js";

// `rules` are the command's own: max_gap_secs, smoothing_secs, min_iou, max_shift.
export class Tracker {
  #rules;
  #tracks = [];
  #next = 1;
  #seconds = -Infinity; // of the frame before

  constructor(rules) {
    this.#rules = rules;
  }

  // The next frame's faces, in order, with their tracks; where the time goes back, all are new.
  update(faces, seconds) {
    // One that was in the frame before has not been away, however long ago that was.
    const isNear = (track) => seconds - track.seconds <= this.#rules.max_gap_secs || track.seconds === this.#seconds;
    this.#tracks = this.#tracks.filter((track) => track.seconds <= seconds && isNear(track));
    this.#seconds = seconds;
    const pairs = this.#tracks.flatMap((track) => faces.map((face, index) => ({ likeness: this.#likeness(track.face, face), track, index })));
    pairs.sort((a, b) => b.likeness - a.likeness || a.track.number - b.track.number || a.index - b.index);
    const taken = new Map();
    const used = new Set();
    for (const { likeness, track, index } of pairs) {
      if (likeness <= 0 || taken.has(index) || used.has(track)) continue;
      taken.set(index, track);
      used.add(track);
    }
    return faces.map((face, index) => this.#advance(taken.get(index), face, seconds));
  }

  #advance(track, face, seconds) {
    let probabilities = face.probabilities;
    if (track) {
      const weight = 1 - Math.exp(-(seconds - track.seconds) / this.#rules.smoothing_secs);
      probabilities = probabilities.map((value, index) => (1 - weight) * track.face.probabilities[index] + weight * value);
    } else {
      track = { number: this.#next++ };
      this.#tracks.push(track);
    }
    Object.assign(track, { seconds, face: { ...face, probabilities, track: track.number } });
    return track.face;
  }

  // 1 to 2 for boxes that overlap, 0 to 1 for boxes that are near, 0 for others.
  #likeness(a, b) {
    const iou = sharedPart(a, b);
    if (iou >= this.#rules.min_iou) return 1 + iou;
    const shift = Math.hypot(a.left + a.width / 2 - b.left - b.width / 2, a.top + a.height / 2 - b.top - b.height / 2);
    return Math.max(0, 1 - shift / (this.#rules.max_shift * Math.max(a.width, b.width)));
  }
}
