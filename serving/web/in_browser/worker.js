// Answers the page's questions as its server would, in this browser: the detector and the network by ONNX Runtime.

import { cropFace, findBoxes, numberAsRead, searchedSize } from "./boxes.js";
import * as ort from "./ort.js";
import { Refusal, openPicture } from "./picture.js";
import { resizeLinear } from "./resize.js";
import { Tracker } from "./tracker.js";

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
  const picture = await openPicture(blob, loaded.rules.picture);
  let found;
  try {
    const { longest_side_px: still, live_longest_side_px: live } = loaded.rules.detector;
    found = await judge(picture, await detect(picture, session ? live : still, loaded), loaded);
  } finally {
    picture.close();
  }
  const numbered = session ? trackerOf(session, loaded.rules.track).update(found, seconds) : numberAsRead(found);
  return { width: picture.width, height: picture.height, faces: numbered.map((face) => fieldsOf(face, loaded.facts)) };
}

async function detect(picture, longest, { detector, rules }) {
  const { input, outputs } = rules.detector;
  const searched = searchedSize(picture.width, picture.height, longest);
  const pixels = new ort.Tensor("float32", resizeLinear(picture, ...searched), [1, 3, searched[1], searched[0]]);
  const maps = await detector.run({ [input]: pixels }, outputs);
  const [heatmap, logSize, offset] = outputs.map((name) => maps[name].data);
  const boxes = findBoxes({ heatmap, logSize, offset }, searched, picture, rules.detector);
  return boxes.sort((a, b) => a.left - b.left || a.top - b.top);
}

async function judge(picture, boxes, { network, rules, facts }) {
  const size = rules.crop.face_size_px;
  const found = [];
  for (let start = 0; start < boxes.length; start += MAX_BATCH) {
    const batch = boxes.slice(start, start + MAX_BATCH);
    const pixels = new Float32Array(batch.length * size * size);
    batch.forEach((box, index) => pixels.set(cropFace(picture, box, rules.crop), index * size * size));
    const answers = await network.run({ pixels: new ort.Tensor("float32", pixels, [batch.length, size, size, 1]) });
    const count = facts.labels.length;
    batch.forEach((box, index) => {
      const probabilities = [...answers.probabilities.data.subarray(index * count, (index + 1) * count)];
      found.push({ ...box, probabilities });
    });
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

function fieldsOf({ left, top, width, height, track, probabilities }, { labels, version }) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  return {
    ...{ left, top, width, height, track },
    label: labels[best].name,
    probabilities: Object.fromEntries(labels.map(({ name }, index) => [name, probabilities[index]])),
    model_version: version,
  };
}
