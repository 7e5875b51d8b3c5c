// Films and the camera: one frame at a time is sent, and the next when its answer is there.

import { findFaces } from "./ask.js";
import { plural, verdict } from "./draw.js";
import { remember } from "./history.js";
import { leave, say, showError, showNothing, showPicture, take } from "./stage.js";
import { shares, showTimeline } from "./timeline.js";

const MAX_FRAME_PX = 960; // longest side of a film's frame as it is sent
const STALLED_MS = 5000; // without a new frame for longer, a film has broken
const ANNOUNCE_MS = 3000; // between two announcements for those who do not see the marks
const $ = (id) => document.getElementById(id);

// Not crypto.randomUUID(), which there is over HTTPS and on this computer only.
const newSession = () => [...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(16)).join("-");
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Plays a film to its end; throws where it can't be played or breaks.
export async function showFilm(file, signal) {
  const video = $("video");
  const address = URL.createObjectURL(file);
  const release = () => {
    if (video.src === address) {
      video.removeAttribute("src");
      video.load();
    }
    URL.revokeObjectURL(address);
  };
  video.srcObject = null;
  video.src = address;
  try {
    await loaded(video, signal);
  } catch {
    release();
    if (signal.aborted) return;
    throw new Error(`${file.name} is no film that this browser can play. “emotion annotate” reads more kinds.`);
  }
  if (!video.videoWidth) {
    release();
    throw new Error(`${file.name} has no pictures that this browser can play, only sound.`);
  }
  await follow(file.name, video, signal, release, () => video.currentTime);
}

export async function startCamera() {
  if (["waiting", "on"].includes($("camera").dataset.state)) return;
  const signal = take();
  showNothing("Waiting for the camera.");
  setCamera("waiting");
  let stream;
  signal.addEventListener("abort", () => {
    close(stream);
    setCamera("off");
  });
  try {
    stream = await openCamera();
    if (signal.aborted) return; // and the stream that came too late is closed below
    const video = $("video");
    video.removeAttribute("src");
    video.srcObject = stream;
    await loaded(video, signal);
    setCamera("on");
    const begin = performance.now();
    const release = () => {
      close(stream);
      if (video.srcObject === stream) video.srcObject = null;
    };
    await follow("Camera", video, signal, release, () => (performance.now() - begin) / 1000, stream);
  } catch (error) {
    if (signal.aborted) return;
    if (!error.kept) {
      showNothing("No picture yet.");
      say("");
    }
    showError(error.message);
  } finally {
    close(stream);
    // A later action that wants the camera has set the button anew.
    if (!signal.aborted) setCamera("off");
    if (signal.reason === "cancelled" && $("view").hidden) {
      showNothing("No picture yet.");
      say("");
    }
    leave(signal);
  }
}

const close = (stream) => stream?.getTracks().forEach((track) => track.stop());

export function setCamera(state) {
  const words = { off: "Start camera", waiting: "Waiting for the camera…", on: "Stop camera" };
  $("camera").dataset.state = state;
  $("camera").textContent = words[state];
  $("camera").setAttribute("aria-pressed", String(state === "on"));
}

async function openCamera() {
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
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch (error) {
    const reasons = {
      NotAllowedError: "this page was not allowed to use it",
      NotFoundError: "there is none",
      NotReadableError: "another program uses it, or it does not answer",
    };
    throw new Error(`The camera cannot be used: ${reasons[error.name] ?? error.message}.`);
  }
}

function loaded(video, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject();
    const options = { once: true, signal };
    video.addEventListener("loadeddata", resolve, options);
    video.addEventListener("error", reject, options);
    signal.addEventListener("abort", reject, { once: true });
  });
}

// What is drawn before the browser has composed a frame is black.
const firstFrame = (video) =>
  Promise.race([new Promise((resolve) => video.requestVideoFrameCallback?.(resolve)), wait(500)]);

async function follow(name, video, signal, release, clock, stream = null) {
  const history = [];
  const frame = document.createElement("canvas");
  const listening = new AbortController();
  let session = newSession();
  let last = null;
  let frames = 0;
  let over = false;
  let problem = "";
  const end = (why = "") => {
    over = true;
    problem ||= why;
  };
  const on = (target, event, action) => target.addEventListener(event, action, { signal: listening.signal });
  on(signal, "abort", () => {
    end();
    video.pause();
    release();
  });
  on(video, "seeked", () => (session = newSession()));
  on(video, "ended", () => end());
  on(video, "error", () => end(broken()));
  stream?.getTracks().forEach((track) => on(track, "ended", () => end("The camera is gone: it was unplugged, or taken away.")));
  const broken = () =>
    `${name} is damaged at ${clock().toFixed(1)} s, and this browser plays it no further; what was seen is kept. ` +
    "“emotion annotate” passes over damaged frames.";

  $("play-row").hidden = false;
  $("timeline-box").hidden = true;
  $("play").textContent = "Pause";
  showPicture(video, video.videoWidth, video.videoHeight, null, name);
  say(`${name} is running; the faces are listed as they are found.`);
  let said = { text: "", at: -ANNOUNCE_MS };
  let moved = { time: -1, at: performance.now() };
  video.play().catch(() => signal.aborted || over || end(broken()));
  await firstFrame(video);
  while (!over) {
    if (video.currentTime !== moved.time || video.paused) moved = { time: video.currentTime, at: performance.now() };
    else if (performance.now() - moved.at > STALLED_MS) end(stream ? "The camera sends no more pictures." : broken());
    if ((video.paused && frames) || over) {
      await wait(50);
      continue;
    }
    const seconds = clock();
    const factor = Math.min(1, MAX_FRAME_PX / Math.max(video.videoWidth, video.videoHeight));
    frame.width = Math.max(1, Math.round(video.videoWidth * factor));
    frame.height = Math.max(1, Math.round(video.videoHeight * factor));
    frame.getContext("2d").drawImage(video, 0, 0, frame.width, frame.height);
    const blob = await new Promise((resolve) => frame.toBlob(resolve, "image/jpeg", 0.9));
    let answer;
    try {
      answer = await findFaces(blob, signal, session, seconds);
    } catch (error) {
      if (!signal.aborted) end(error.message);
      break;
    }
    if (signal.aborted) break;
    frames += 1;
    last = { blob, answer };
    if (answer.faces.length) history.push({ seconds, label: dominantOf(answer.faces) });
    // The frame that was asked about, not the one the film has come to since: the marks must fit.
    showPicture(frame, frame.width, frame.height, answer, name);
    showTimeline(history);
    $("clock").textContent = `${seconds.toFixed(1)} s`;
    const text = verdict(answer.faces);
    if (text !== said.text && performance.now() - said.at > ANNOUNCE_MS) {
      said = { text, at: performance.now() };
      say(`${name}: ${text}`);
    }
  }
  listening.abort();
  const text = history.length
    ? `${plural(frames, "frame")}, mostly ${shares(history)[0][0]}`
    : `${plural(frames, "frame")}, no face was found`;
  if (!signal.aborted) {
    video.pause();
    release();
  }
  // Another action has the stage by now, and its own words.
  if (signal.reason !== "superseded") {
    $("play-row").hidden = true;
    say(`${name}: ${text}`);
  }
  if (last) await keep(name, text, last, history);
  // `kept`: the stage shows what was seen before it broke.
  if (problem && !signal.aborted) throw Object.assign(new Error(problem), { kept: last !== null });
}

async function keep(name, text, { blob, answer }, history) {
  const show = async () => {
    const signal = take();
    const picture = await createImageBitmap(blob);
    if (signal.aborted) return;
    showPicture(picture, picture.width, picture.height, answer, name);
    picture.close();
    $("play-row").hidden = true;
    showTimeline(history);
    say(`${name}: ${text}`);
    $("stage").focus();
    leave(signal);
  };
  const picture = await createImageBitmap(blob);
  await remember(name, text, show, picture);
  picture.close();
}

function dominantOf(faces) {
  const sums = {};
  for (const face of faces)
    for (const [name, value] of Object.entries(face.probabilities)) sums[name] = (sums[name] ?? 0) + value;
  return Object.entries(sums).sort((a, b) => b[1] - a[1])[0][0];
}
