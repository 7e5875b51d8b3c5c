// The camera: two frames are on their way at a time, so that neither the server nor the browser waits for the other.

import { findFaces, newName } from "./ask.js";
import { plural, verdict } from "./draw.js";
import { asBlob, copyFrame, loaded, nextFrame } from "./film.js";
import { address, noAddress, remember } from "./history.js";
import { isFree, leave, say, showError, showNothing, showParts, showPicture, showStart, take } from "./stage.js";
import { offer } from "./takeaway.js";
import { shares, showTimeline } from "./timeline.js";

const MAX_SEEN_PX = 960; // longest side of a frame as it is shown and kept
const MAX_SENT_PX = 384; // as it is asked about: finding faces takes half the time, and who sits before a camera is large
const MOST_ASKED = 2; // frames on their way at a time
const SILENT_MS = 5000; // without a new frame for longer, the camera is gone
const RATE_MS = 2000; // over which frames a second are counted
const ANNOUNCE_MS = 3000; // between two announcements for those who do not see the marks
const $ = (id) => document.getElementById(id);

let last = null; // {frame, answer} of the camera that runs
let snapshots = 0;

export const isCameraOn = () => $("camera").dataset.state === "on";

export async function startCamera() {
  if (["waiting", "on"].includes($("camera").dataset.state)) return;
  const signal = take();
  last = null;
  showNothing("Waiting for the camera.");
  setCamera("waiting");
  let stream;
  signal.addEventListener("abort", () => {
    close(stream);
    setCamera("off");
  });
  try {
    stream = await openCamera($("device").value);
    if (signal.aborted) return; // and the stream that came too late is closed below
    const video = $("video");
    video.removeAttribute("src");
    video.srcObject = stream;
    await loaded(video, signal);
    setCamera("on");
    await listDevices(stream);
    await follow(video, signal, stream);
  } catch (error) {
    if (signal.aborted) return;
    if (!error.kept) {
      showStart();
      noAddress(signal);
    }
    showError(error.message);
  } finally {
    close(stream);
    if ($("video").srcObject === stream) $("video").srcObject = null;
    // A later action that wants the camera has set the button anew.
    if (!signal.aborted) setCamera("off");
    // Of a camera that was stopped before its first answer there is nothing to show.
    if (signal.reason === "cancelled" && isFree(signal) && !last) showStart();
    leave(signal);
  }
}

const close = (stream) => stream?.getTracks().forEach((track) => track.stop());

function setCamera(state) {
  const words = { off: "Start camera", waiting: "Waiting for the camera…", on: "Stop camera" };
  $("camera").dataset.state = state;
  $("camera").textContent = words[state];
  $("camera").setAttribute("aria-pressed", String(state === "on"));
}

async function openCamera(device) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error(
      window.isSecureContext
        ? "This browser gives pages no camera."
        : `The camera cannot be used: browsers allow it over HTTPS or on the computer itself only, and this page came ` +
          `over plain HTTP from ${location.hostname}. Open it on that computer as http://127.0.0.1:${location.port}/, or ` +
          `through a tunnel: ssh -L ${location.port}:127.0.0.1:${location.port} ${location.hostname}`,
    );
  }
  say("Allow this page to use the camera; the browser asks.");
  const which = device ? { deviceId: { exact: device } } : {};
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, ...which } });
  } catch (error) {
    const reasons = {
      NotAllowedError: "this page was not allowed to use it",
      NotFoundError: "there is none",
      NotReadableError: "another program uses it, or it does not answer",
      OverconstrainedError: "the one that was chosen is gone",
    };
    throw new Error(`The camera cannot be used: ${reasons[error.name] ?? error.message}.`);
  }
}

// Browsers tell the cameras' names only once one is allowed.
async function listDevices(stream) {
  const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
  const used = stream.getVideoTracks()[0]?.getSettings().deviceId;
  const options = found.map(({ label, deviceId }, index) => new Option(label || `Camera ${index + 1}`, deviceId));
  $("device").replaceChildren(...options);
  if (used) $("device").value = used;
}

async function follow(video, signal, stream) {
  const result = { id: newName(), kind: "camera", name: "Camera", moments: [] };
  const begin = performance.now();
  const session = newName();
  const asked = new Set();
  const times = []; // of the answers of the last seconds
  let said = { text: "", at: -ANNOUNCE_MS };
  let moved = { time: -1, at: begin };
  let problem = "";
  let isOver = false;
  const end = (why = "") => {
    isOver = true;
    problem ||= why;
  };
  signal.addEventListener("abort", () => end());
  stream.getTracks().forEach((track) => track.addEventListener("ended", () => end("The camera is gone: it was unplugged, or taken away."), { signal }));
  const ask = async (frame, blob, seconds) => {
    const answer = await findFaces(blob, signal, session, seconds);
    // An answer that was overtaken would turn the time back.
    if (isOver || (result.moments.at(-1)?.seconds ?? -1) >= seconds) return;
    result.moments.push({ seconds, answer });
    last = { frame, answer };
    showPicture(frame, frame.width, frame.height, answer, result.name);
    showTimeline(result.moments, true);
    const now = performance.now();
    times.push(now);
    while (now - times[0] > RATE_MS) times.shift();
    $("rate").textContent = `${((1000 * (times.length - 1)) / Math.max(now - times[0], 1)).toFixed(1)} frames a second`;
    const text = verdict(answer.faces);
    if (text !== said.text && now - said.at > ANNOUNCE_MS) {
      said = { text, at: now };
      say(`Camera: ${text}`);
    }
  };
  address(result.id, signal);
  showParts("camera-row");
  showPicture(video, video.videoWidth, video.videoHeight, null, result.name);
  say("Camera is running; the faces are listed as they are found.");
  video.play().catch((error) => signal.aborted || end(`The camera cannot be shown: ${error.message}`));
  await nextFrame(video, 500);
  while (!isOver) {
    if (video.currentTime !== moved.time) moved = { time: video.currentTime, at: performance.now() };
    else if (performance.now() - moved.at > SILENT_MS) end("The camera sends no more pictures.");
    if (asked.size >= MOST_ASKED) {
      await Promise.race(asked);
      continue;
    }
    const frame = copyFrame(video, MAX_SEEN_PX, $("mirror").checked);
    const seconds = (performance.now() - begin) / 1000;
    const small = await asBlob(shrunk(frame));
    if (isOver) break;
    const question = ask(frame, small, seconds)
      .catch((error) => signal.aborted || end(error.message))
      .finally(() => asked.delete(question));
    asked.add(question);
    await nextFrame(video, 100);
  }
  video.pause();
  const [most] = shares(result.moments);
  result.text = `${plural(result.moments.length, "frame")}, ${most ? `mostly ${most[0]}` : "no face was found"}`;
  if (last) {
    Object.assign(result, { file: await asBlob(last.frame), answer: last.answer });
    const picture = await createImageBitmap(last.frame);
    await remember(result, picture);
    picture.close();
  }
  // Another action has the stage by now, and its own words.
  if (last && isFree(signal)) {
    showParts("timeline-box");
    showTimeline(result.moments);
    offer(result);
    say(`Camera: ${result.text}`);
  }
  if (problem && !signal.aborted) throw Object.assign(new Error(problem), { kept: last !== null });
}

function shrunk(frame) {
  const factor = Math.min(1, MAX_SENT_PX / Math.max(frame.width, frame.height));
  const small = document.createElement("canvas");
  small.width = Math.round(frame.width * factor);
  small.height = Math.round(frame.height * factor);
  small.getContext("2d").drawImage(frame, 0, 0, small.width, small.height);
  return small;
}

// Keeps what the camera shows now as a picture of its own; the camera goes on.
async function takeSnapshot() {
  if (!last || !isCameraOn()) return;
  const { frame, answer } = last;
  snapshots += 1;
  const name = `snapshot-${snapshots}.jpg`;
  const file = new File([await asBlob(frame)], name, { type: "image/jpeg" });
  const picture = await createImageBitmap(frame);
  await remember({ id: newName(), kind: "picture", name, file, answer, text: verdict(answer.faces) }, picture);
  picture.close();
  say(`${name}: ${verdict(answer.faces)}`);
}

export function startCameraControls(again) {
  $("snapshot").addEventListener("click", takeSnapshot);
  $("device").addEventListener("change", () => isCameraOn() && again());
}
