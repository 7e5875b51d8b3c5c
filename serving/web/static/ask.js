// Questions about pictures and films, to whatever answers them: source.js knows.

import { call, hasServer } from "./source.js";

export const MAX_UPLOAD_BYTES = 32 * 1024 * 1024;

let model = null;

// A name for a film, a camera or a result; not crypto.randomUUID(), which there is over HTTPS and on this
// computer only.
export const newName = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("-");

export const isName = (text) => /^[0-9a-f]{1,8}(-[0-9a-f]{1,8}){3}$/.test(text);

async function ask(path, options) {
  const response = await call(path, options);
  let answer = {};
  try {
    answer = await response.json();
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Error(`The server answered ${response.status}, and nothing that can be read.`);
  }
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return answer;
}

// What the server says of its model: asked until it has answered once.
export async function askModel(signal) {
  model ??= await ask("api/model", { signal });
  return model;
}

export const colourOf = (name) => model?.labels.find((label) => label.name === name)?.colour ?? "#888";
export const unsureBelow = () => model?.unsure_below ?? 0;
export const labelNames = () => model?.labels.map((label) => label.name) ?? [];

const upload = (blob, signal) => ({
  method: "POST",
  body: blob,
  headers: { "Content-Type": "application/octet-stream" },
  signal,
});

export async function findFaces(blob, signal, session = "", seconds = 0) {
  await askModel(signal);
  const query = session ? `?session=${session}&seconds=${seconds.toFixed(3)}` : "";
  return ask(`api/faces${query}`, upload(blob, signal));
}

// Why a face is answered as it is; `answer` is the one that it is of.
export function explainFace(blob, answer, { left, top, width, height, label }, signal) {
  const [x, y] = [(left + width / 2) / answer.width, (top + height / 2) / answer.height];
  return ask(`api/explain?x=${x}&y=${y}&emotion=${encodeURIComponent(label)}`, upload(blob, signal));
}

// The picture as a JPEG, for formats that this browser does not show.
export async function asJpeg(blob, signal) {
  const response = await call("api/picture", upload(blob, signal));
  if (!response.ok) throw new Error((await response.json()).error);
  return response.blob();
}

const json = (value) => new Blob([JSON.stringify(value)], { type: "application/json" });

// What only a server does: `server`, which is null where there is none.
const onlyServer = {
  // The marked copy of a picture, as `emotion annotate` writes it.
  async markPicture(blob, below, isJpeg) {
    const response = await call(`api/marked?unsure_below=${below}&kind=${isJpeg ? "jpeg" : "png"}`, upload(blob));
    if (!response.ok) throw new Error((await response.json()).error);
    return response.blob();
  },

  // Has a film marked as `emotion annotate` does it, frame by frame; `filmState` tells how far it is.
  markFilm: (job, file, below, signal) =>
    ask(`api/films/${job}?unsure_below=${below}&name=${encodeURIComponent(file.name)}`, upload(file, signal)),
  filmState: (job, signal) => ask(`api/films/${job}`, { signal }),
  filmAddress: (job, name) => `api/films/${job}/${name}`,
  dropFilm: (job) => ask(`api/films/${job}`, { method: "DELETE" }),

  // Keeps a result while the server runs, so that its address works after a reload too.
  keep: (name, result) => ask(`api/results/${name}`, upload(json(result))),
  kept: (name) => ask(`api/results/${encodeURIComponent(name)}`, {}),
};

export const server = hasServer ? onlyServer : null;
