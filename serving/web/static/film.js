// Films: one frame at a time is asked about, and the next when its answer is there. A film stays loaded after its
// end, so that it can be played again and its curves be clicked, until something else takes the stage.

import { findFaces, newName } from "./ask.js";
import { plural, verdict } from "./draw.js";
import { address, remember } from "./history.js";
import { statedBytes } from "./kind.js";
import { hold, isFree, leave, say, showError, showParts, showPicture, take } from "./stage.js";
import { offer } from "./takeaway.js";
import { markPlace, shares, showTimeline } from "./timeline.js";

const MAX_FRAME_PX = 960; // longest side of a film's frame as it is sent
const STALLED_MS = 5000; // without a new frame for longer, a film has broken
const ANNOUNCE_MS = 3000; // between two announcements for those who do not see the marks
const KEY_SECONDS = 1; // that an arrow key moves, in a film of ten or more
const REUSE_SECONDS = 0.6; // between two frames whose answers are known, the nearer one's is good enough
const [GAP, GAP_SECONDS] = [0.1, 1]; // without a picture up to its end for longer, a film may be damaged
const $ = (id) => document.getElementById(id);

let current = null; // the film that is loaded

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const time = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

// Plays a film to its end, and tells whether anything of it was seen; throws where it can't be played or breaks.
export async function showFilm(file, signal) {
  const result = { id: newName(), kind: "film", name: file.name, file, moments: [] };
  const film = await load(result, signal);
  if (!film) return false;
  film.isTold = true;
  address(result.id, signal);
  let said = { text: "", at: performance.now() - ANNOUNCE_MS };
  film.onAnswer = (answer) => {
    const text = verdict(answer.faces);
    if (text === said.text || performance.now() - said.at < ANNOUNCE_MS) return;
    said = { text, at: performance.now() };
    say(`${file.name}: ${text}`);
  };
  say(`${file.name} is running; the faces are listed as they are found.`);
  signal.addEventListener("abort", () => film.end(""));
  $("end").hidden = false;
  // The first frame is asked about before the film plays: of one that breaks at once something is kept.
  watch(film, () => film.video.play().catch((error) => isInterrupted(error) || film.released || film.end(broken(film))));
  const problem = await film.over;
  film.onAnswer = () => {};
  film.isTold = false;
  if (!film.released) {
    film.video.pause();
    $("end").hidden = true;
  }
  result.text = textOf(result.moments);
  // Another action has the stage by now, and its own words.
  if (isFree(signal)) say(`${file.name}: ${result.text}`);
  if (film.frame) {
    result.still = await asBlob(film.frame);
    const picture = await createImageBitmap(film.frame);
    await remember(result, picture);
    picture.close();
    if (isFree(signal)) {
      offer(result);
      showTimeline(result.moments);
    }
  }
  // `kept`: the stage shows what was seen before it broke.
  if (problem && !signal.aborted) throw Object.assign(new Error(problem), { kept: film.frame !== null });
  return film.frame !== null;
}

// Ends the film that plays; those after it go on.
export function endFilm() {
  current?.end("");
}

// play() was interrupted: by a pause, or by the end of a film of one frame.
const isInterrupted = (error) => error.name === "AbortError";

// Shows a film again, with what was found in it.
export async function openFilm(result) {
  const signal = take();
  try {
    const film = await load(result, signal);
    if (!film) return;
    $("end").hidden = true;
    watch(film);
    showTimeline(result.moments);
    offer(result);
    say(`${result.name}: ${result.text}`);
    $("stage").focus();
  } catch (error) {
    if (!signal.aborted) showError(error.message);
  } finally {
    leave(signal);
  }
}

export function seek(seconds) {
  if (current) current.video.currentTime = seconds;
}

const broken = (film) =>
  `${film.missing || `${film.result.name} is damaged.`} This browser plays it to ${film.video.currentTime.toFixed(1)} s; ` +
  "what was seen is kept. “emotion annotate” passes over damaged frames.";

const textOf = (moments) => {
  const [most] = shares(moments);
  return `${plural(moments.length, "frame")}, ${most ? `mostly ${most[0]}` : "no face was found"}`;
};

async function missingOf(file) {
  const stated = await statedBytes(file);
  if (stated <= file.size) return "";
  return `${file.name} is cut off: it has ${file.size.toLocaleString("en")} of the ${stated.toLocaleString("en")} bytes that it states.`;
}

// Returns the film, ready to play; null where another action has come. Throws where it can't be played.
async function load(result, signal) {
  const video = $("video");
  const name = result.name;
  const source = URL.createObjectURL(result.file);
  const listening = new AbortController();
  const film = { video, result, released: false, isTold: false, trouble: "", frame: null, session: "", base: 0, onAnswer: () => {} };
  film.over = new Promise((resolve) => (film.end = resolve));
  const release = () => {
    film.released = true;
    film.end("");
    listening.abort();
    video.pause();
    if (video.src === source) {
      video.removeAttribute("src");
      video.load();
    }
    URL.revokeObjectURL(source);
    if (current === film) current = null;
  };
  hold(release);
  current = film;
  film.missing = await missingOf(result.file).catch(() => "");
  if (signal.aborted) {
    release();
    return null;
  }
  video.srcObject = null;
  video.muted = $("sound").getAttribute("aria-pressed") !== "true";
  video.src = source;
  try {
    await loaded(video, signal);
  } catch {
    release();
    if (signal.aborted) return null;
    const why = film.missing || `${name} is no film that this browser can play.`;
    throw new Error(`${why} “emotion annotate” reads more kinds.`);
  }
  if (!video.videoWidth) {
    release();
    throw new Error(`${name} has no pictures that this browser can play, only sound.`);
  }
  film.length = video.duration; // as the file states it; a browser corrects it once it has come to the end
  const on = (event, action) => video.addEventListener(event, action, { signal: listening.signal });
  on("seeked", () => (film.session = ""));
  on("ended", () => film.end(film.missing || silentEnd(film)));
  on("error", () => film.end(broken(film)));
  for (const event of ["play", "pause", "ended", "timeupdate", "volumechange", "durationchange"]) on(event, () => showControls(film));
  const note = (now, { mediaTime }) => {
    if (film.released) return;
    film.lastSeen = mediaTime;
    video.requestVideoFrameCallback(note);
  };
  video.requestVideoFrameCallback?.(note);
  showParts("play-row");
  showControls(film);
  showPicture(video, video.videoWidth, video.videoHeight, null, name);
  return film;
}

// Browsers pass over damage in some kinds of film, and say nothing.
function silentEnd({ length, lastSeen, result }) {
  if (!Number.isFinite(length) || lastSeen === undefined) return "";
  if (length - lastSeen <= Math.max(GAP_SECONDS, GAP * length)) return "";
  return (
    `${result.name} has its last picture at ${lastSeen.toFixed(1)} of the ${length.toFixed(1)} s that it states: ` +
    "it may be damaged there. “emotion annotate” tells."
  );
}

export function loaded(video, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) reject();
    const options = { once: true, signal };
    video.addEventListener("loadeddata", resolve, options);
    video.addEventListener("error", reject, options);
    signal.addEventListener("abort", reject, { once: true });
  });
}

function showControls({ video, length }) {
  const isKnown = Number.isFinite(length);
  $("play").textContent = video.ended ? "Play again" : video.paused ? "Play" : "Pause";
  $("clock").textContent = isKnown ? `${time(video.currentTime)} / ${time(length)}` : time(video.currentTime);
  $("seek").disabled = !isKnown;
  $("seek").max = isKnown ? length : 1;
  $("seek").value = video.currentTime;
  $("seek").setAttribute("aria-valuetext", $("clock").textContent);
  $("sound").setAttribute("aria-pressed", String(!video.muted));
}

export function startFilmControls() {
  $("play").addEventListener("click", () => {
    if (!current) return;
    if (current.video.paused) current.video.play().catch((error) => showError(error.message));
    else current.video.pause();
  });
  $("seek").addEventListener("input", () => seek(Number($("seek").value)));
  // The range's own step is that of the pointer, far too small for a key.
  $("seek").addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!way || !current) return;
    event.preventDefault();
    const { video, length } = current;
    seek(Math.min(Math.max(video.currentTime + way * Math.min(KEY_SECONDS, length / 10), 0), length));
  });
  $("sound").addEventListener("click", () => current && (current.video.muted = !current.video.muted));
}

// What is drawn before the browser has composed a frame is black.
export const nextFrame = (video, ms) =>
  Promise.race([new Promise((resolve) => video.requestVideoFrameCallback?.(resolve)), wait(ms)]);

// Copies what the video shows, at most `longest` pixels long.
export function copyFrame(video, longest, isMirrored = false) {
  const factor = Math.min(1, longest / Math.max(video.videoWidth, video.videoHeight));
  const frame = document.createElement("canvas");
  frame.width = Math.max(1, Math.round(video.videoWidth * factor));
  frame.height = Math.max(1, Math.round(video.videoHeight * factor));
  const context = frame.getContext("2d");
  if (isMirrored) context.setTransform(-1, 0, 0, 1, frame.width, 0);
  context.drawImage(video, 0, 0, frame.width, frame.height);
  return frame;
}

export const asBlob = (canvas) => new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));

// Marks what the film shows until it is released, whether it plays or is sought through. `onFirst` is called after
// the first frame.
async function watch(film, onFirst = () => {}) {
  const { video, result } = film;
  let shown = -1;
  let moved = { time: -1, at: performance.now() };
  let isFirst = true;
  await nextFrame(video, 500);
  while (!film.released) {
    const { currentTime } = video;
    if (video.paused || currentTime !== moved.time) moved = { time: currentTime, at: performance.now() };
    else if (performance.now() - moved.at > STALLED_MS) film.end(broken(film));
    // The frame's own time where the browser tells it: the clock goes on while one frame is shown.
    const seconds = film.lastSeen ?? currentTime;
    if (video.seeking || video.readyState < 2 || seconds === shown) {
      await nextFrame(video, 40);
      continue;
    }
    shown = seconds;
    const frame = copyFrame(video, MAX_FRAME_PX);
    let answer = known(result.moments, seconds);
    if (!answer) {
      try {
        answer = await ask(film, frame, seconds);
        film.trouble = "";
      } catch (error) {
        if (film.released) return;
        video.pause();
        film.end(error.message);
        if (!film.isTold && film.trouble !== error.message) showError(error.message);
        film.trouble = error.message;
        continue;
      }
    }
    if (film.released) return;
    film.frame = frame;
    // The frame that was asked about, not the one the film has come to since: the marks must fit.
    showPicture(frame, frame.width, frame.height, answer, result.name);
    markPlace(seconds);
    showTimeline(result.moments, !video.paused);
    film.onAnswer(answer);
    if (isFirst) onFirst();
    isFirst = false;
  }
}

async function ask(film, frame, seconds) {
  const { moments } = film.result;
  if (!film.session) {
    film.session = newName();
    // The faces after a leap are numbered from where those before have come to.
    film.base = Math.max(0, ...moments.flatMap(({ answer }) => answer.faces.map((face) => face.track)));
  }
  const answer = await findFaces(await asBlob(frame), undefined, film.session, seconds);
  for (const face of answer.faces) face.track += film.base;
  const place = moments.findLastIndex((moment) => moment.seconds <= seconds);
  moments.splice(place + 1, 0, { seconds, answer });
  return answer;
}

function known(moments, seconds) {
  const index = moments.findLastIndex((moment) => moment.seconds <= seconds);
  const [before, after] = [moments[index], moments[index + 1]];
  if (before?.seconds === seconds) return before.answer;
  if (!before || !after || after.seconds - before.seconds > REUSE_SECONDS) return null;
  return (seconds - before.seconds < after.seconds - seconds ? before : after).answer;
}
