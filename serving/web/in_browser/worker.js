// Answers the page's questions as its server would, in this browser: the detector and the network by ONNX Runtime.

import { cropFace, findBoxes, numberAsRead, searchedSize } from "./boxes.js";
import { coveredCopies, meanFalls } from "./occlusion.js";
import * as ort from "./ort.js";
import { Refusal, openPicture } from "./picture.js";
import { qualityOf } from "./quality.js";
import { resizeLinear } from "./resize.js";
import { Tracker } from "./tracker.js";
import { searchAnyTurn } from "./turns.js";

const MAX_THREADS = 4;
const MAX_BATCH = 32; // faces that the network is shown at a time
const MAX_SESSIONS = 8; // films and cameras whose faces are followed
const ERRORS_ONLY = 3;

const trackers = new Map();
const cancelled = new Set();
const loading = load();
loading.catch(() => {}); // told to whoever asks
let turn = Promise.resolve();

self.addEventListener("message", ({ data: { id, cancel, path, blob } }) => {
  if (cancel) {
    cancelled.add(cancel);
    return;
  }
  turn = turn.then(async () => {
    if (!cancelled.delete(id)) self.postMessage({ id, ...(await answer(path, blob)) });
    cancelled.delete(id);
  });
});

async function answer(path, blob) {
  const { pathname, searchParams } = new URL(path, "http://page/");
  try {
    if (pathname === "/api/model") return { status: 200, body: (await loading).facts };
    if (pathname === "/api/faces") {
      return { status: 200, body: await faces(blob, searchParams.get("session"), Number(searchParams.get("seconds"))) };
    }
    if (pathname === "/api/explain") {
      const [x, y] = ["x", "y"].map((name) => Number(searchParams.get(name)));
      return { status: 200, body: await explain(blob, x, y, searchParams.get("emotion")) };
    }
    if (pathname === "/api/picture") throw new Refusal("the picture is of a kind that this browser does not show");
    return { status: 404, body: { error: "there is no such page" } };
  } catch (error) {
    const text = error?.message ?? String(error);
    if (error instanceof Refusal) return { status: 422, body: { error: text } };
    return { status: 500, body: { error: `This browser could not look at it: ${text}` } };
  }
}

async function load() {
  const fetched = async (name) => {
    const response = await fetch(new URL(name, import.meta.url)).catch(() => null);
    if (!response?.ok) throw new Error(`${name} did not come (${response?.status ?? "no answer"}). Reload the page.`);
    return new Uint8Array(await response.arrayBuffer());
  };
  const names = ["page.json", "ort-wasm.wasm", "centerface.onnx", "model.onnx"];
  const [page, runtime, detector, network] = await Promise.all(names.map(fetched));
  const { facts, rules } = JSON.parse(new TextDecoder().decode(page));
  ort.env.logLevel = "error";
  ort.env.wasm.wasmBinary = runtime.buffer;
  ort.env.wasm.wasmPaths = { mjs: new URL("ort-wasm.js", import.meta.url).href };
  // Several threads need memory in common, which browsers give to isolated pages only.
  ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MAX_THREADS) : 1;
  const options = {
    executionProviders: ["wasm"],
    logSeverityLevel: ERRORS_ONLY,
    // Threads that wait for work would take its time from whatever else runs.
    extra: { session: { intra_op: { allow_spinning: "0" } } },
  };
  return {
    facts,
    rules,
    detector: await ort.InferenceSession.create(detector, options),
    network: await ort.InferenceSession.create(network, options),
  };
}

async function faces(blob, session, seconds) {
  const loaded = await loading;
  const { width, height, found } = await lookAt(blob, loaded, Boolean(session));
  const numbered = session ? trackerOf(session, loaded.rules.track).update(found, seconds) : found;
  return { width, height, faces: numbered.map((face) => fieldsOf(face, loaded.facts)) };
}

// The picture's faces, numbered, each with `pixels`, what the network is shown of it, and its answer.
async function lookAt(blob, loaded, isLive = false) {
  const picture = await openPicture(blob, loaded.rules.picture);
  const { width, height } = picture;
  try {
    const { longest_side_px: still, live_longest_side_px: live } = loaded.rules.detector;
    const search = (turned) => detect(turned, isLive ? live : still, loaded);
    // A film's frames come upright, and too fast to be searched four times.
    const boxes = await (isLive ? search(picture) : searchAnyTurn(picture, search));
    return { width, height, found: numberAsRead(await judge(picture, boxes, loaded)) };
  } finally {
    picture.close();
  }
}

async function explain(blob, x, y, emotion) {
  const loaded = await loading;
  const { width, height, found } = await lookAt(blob, loaded);
  const [px, py] = [x * width, y * height];
  const [face] = found
    .filter(({ left, top, width: wide, height: high }) => px >= left && px <= left + wide && py >= top && py <= top + high)
    .sort((a, b) => a.width * a.height - b.width * b.height);
  if (!face) throw new Refusal("no face is found at that place of the picture");
  const size = loaded.rules.crop.face_size_px;
  const which = loaded.facts.labels.findIndex(({ name }) => name === emotion);
  const { covers, copies } = coveredCopies(face.pixels, size, loaded.rules.explain);
  const answers = await ask(copies, covers.length + 1, loaded);
  const falls = meanFalls(covers, answers.map((answer) => answer[which]), size, loaded.rules.explain);
  const levels = Array.from(face.pixels, (value) => Math.round(255 * value));
  return {
    face: face.track,
    emotion,
    probability: face.probabilities[which],
    largest_fall: Math.max(...falls.flat()),
    falls,
    pixels: falls.map((_, row) => levels.slice(row * size, (row + 1) * size)),
  };
}

async function detect(picture, longest, { detector, rules }) {
  const { input, outputs } = rules.detector;
  const searched = searchedSize(picture.width, picture.height, longest);
  const pixels = new ort.Tensor("float32", resizeLinear(picture, ...searched), [1, 3, searched[1], searched[0]]);
  const maps = await detector.run({ [input]: pixels }, outputs);
  const [heatmap, logSize, offset, points] = outputs.map((name) => maps[name].data);
  return findBoxes({ heatmap, logSize, offset, points }, searched, picture, rules.detector);
}

async function judge(picture, boxes, loaded) {
  const size = loaded.rules.crop.face_size_px;
  const crops = boxes.map((box) => cropFace(picture, box, loaded.rules.crop));
  const pixels = new Float32Array(boxes.length * size ** 2);
  crops.forEach((crop, index) => pixels.set(crop, index * size ** 2));
  const answers = await ask(pixels, boxes.length, loaded);
  return boxes.map((box, index) => ({
    ...box,
    pixels: crops[index],
    probabilities: answers[index],
    quality: qualityOf(box, crops[index], size),
  }));
}

// The network's probabilities for `count` faces, float32 [count, size, size].
async function ask(pixels, count, { network, rules, facts }) {
  const size = rules.crop.face_size_px;
  const found = [];
  for (let start = 0; start < count; start += MAX_BATCH) {
    const end = Math.min(start + MAX_BATCH, count);
    const part = pixels.subarray(start * size ** 2, end * size ** 2);
    const { probabilities } = await network.run({ pixels: new ort.Tensor("float32", part, [end - start, size, size, 1]) });
    const classes = facts.labels.length;
    for (let index = 0; index < end - start; index++)
      found.push([...probabilities.data.subarray(index * classes, (index + 1) * classes)]);
  }
  return found;
}

function trackerOf(session, rules) {
  const tracker = trackers.get(session) ?? new Tracker(rules);
  trackers.delete(session); // and in again, as the last that was used
  trackers.set(session, tracker);
  if (trackers.size > MAX_SESSIONS) trackers.delete(trackers.keys().next().value);
  return tracker;
}

function fieldsOf({ left, top, width, height, track, probabilities, quality }, { labels, version }) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  return {
    ...{ left, top, width, height, track },
    label: labels[best].name,
    probabilities: Object.fromEntries(labels.map(({ name }, index) => [name, probabilities[index]])),
    model_version: version,
    quality,
  };
}
