// Questions about pictures, to whatever answers them.

import { call } from "./source.js";

export const MAX_UPLOAD_BYTES = 32 * 1024 * 1024;

let model = null;

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

// The picture as a JPEG, for formats that this browser does not show.
export async function asJpeg(blob, signal) {
  const response = await call("api/picture", upload(blob, signal));
  if (!response.ok) throw new Error((await response.json()).error);
  return response.blob();
}
