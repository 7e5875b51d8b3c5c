// What one takes away of a result: the marked copy, and the faces as a table, as `emotion annotate` writes them.

import { labelNames, newName, server } from "./ask.js";
import { element, nameOf, percent, unsureLimit } from "./draw.js";

const KEPT_ADDRESS_MS = 60_000; // for the browser to save from it
const ASK_MS = 1000; // between two questions how far a film is
const PLACE = ["file", "frame", "seconds", "left", "top", "width", "height", "track"];
const QUALITY = ["size_px", "sharpness", "roll", "yaw"];
const $ = (id) => document.getElementById(id);

let shown = null; // the result on the stage
let job = null; // the film that the server marks: {id, result, limit, ended, made}
let dropped = Promise.resolve(); // when the server has dropped the one before

export const shownResult = () => ($("take").hidden ? null : shown);

export function offer(result) {
  if (job && job.result !== result) drop();
  shown = result;
  const isFilm = result.kind === "film";
  const canMark = server && (result.kind === "picture" || isFilm) && !result.isStill;
  $("save-marked").hidden = !canMark && isFilm;
  $("save-marked").textContent = isFilm ? "Save marked film" : "Save marked picture";
  $("taken").textContent = "";
  $("take").hidden = false;
}

function drop() {
  job.ended.abort();
  dropped = server.dropFilm(job.id).catch(() => {});
  job = null;
}

// Ends the marking of a film that is under way.
export function cancelMarking() {
  if ($("cancel-marking").hidden) return;
  drop();
  $("taken").textContent = "Cancelled.";
}

// Python's round(): a half goes to the even neighbour.
function whole(value) {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 ? floor + 1 : floor;
}

// A float as Python writes it.
export function asPython(value, digits) {
  const rounded = Number(value.toFixed(digits));
  if (Number.isInteger(rounded)) return `${Object.is(rounded, -0) ? "-0" : rounded}.0`;
  if (Math.abs(rounded) >= 1e-4) return String(rounded);
  return rounded.toExponential().replace(/e-(\d)$/, "e-0$1");
}

const columns = () => [...PLACE, ...QUALITY, ...labelNames(), "label"];

// What is not known of a face is null, which a CSV has as nothing.
function qualityOf({ quality = {} }) {
  return QUALITY.map((name) => {
    const value = quality[name] ?? null;
    if (value === null) return "null";
    return name === "yaw" ? asPython(value, 2) : String(value);
  });
}

// The rows as the command's table has them, each value as text; names and labels are left as they are.
function rows({ name, answer, moments }) {
  const shots = moments ?? [{ seconds: 0, answer }];
  return shots.flatMap(({ seconds, answer: { faces } }, frame) =>
    faces.map((face) => [
      name,
      String(frame),
      asPython(seconds, 3),
      ...["left", "top", "width", "height"].map((side) => String(whole(face[side]))),
      String(face.track),
      ...qualityOf(face),
      ...labelNames().map((label) => asPython(face.probabilities[label], 6)),
      face.probabilities[face.label] < unsureLimit() ? "unsure" : face.label,
    ]),
  );
}

export function asCsv(result) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const line = (row) => `${row.map(quoted).join(",")}\r\n`;
  const isQuality = (index) => index >= PLACE.length && index < PLACE.length + QUALITY.length;
  const known = (row) => row.map((value, index) => (isQuality(index) && value === "null" ? "" : value));
  return [line(columns()), ...rows(result).map((row) => line(known(row)))].join("");
}

export function asJson(result) {
  const names = columns();
  const words = new Set([0, names.length - 1]);
  const objects = rows(result).map((row) => {
    const fields = row.map((value, index) => `${JSON.stringify(names[index])}: ${words.has(index) ? JSON.stringify(value) : value}`);
    return `{${fields.join(", ")}}`;
  });
  return objects.length ? `[\n${objects.join(",\n")}\n]\n` : "[]\n";
}

function save(address, name) {
  const link = element("a");
  link.href = address;
  link.download = name;
  link.click();
}

function saveBlob(blob, name) {
  const address = URL.createObjectURL(blob);
  save(address, name);
  setTimeout(() => URL.revokeObjectURL(address), KEPT_ADDRESS_MS);
}

const stem = (name) => name.replace(/\.[^.]*$/, "") || name;

async function saveMarked(result) {
  const isJpeg = /\.jpe?g$/i.test(result.name);
  const name = `${stem(result.name)}.marked.${isJpeg ? "jpg" : "png"}`;
  if (server && result.kind === "picture" && !result.isStill) {
    saveBlob(await server.markPicture(result.file, unsureLimit(), isJpeg), name);
    return;
  }
  const type = isJpeg ? "image/jpeg" : "image/png";
  saveBlob(await new Promise((resolve) => $("canvas").toBlob(resolve, type, 0.92)), name);
}

// The server's own work on a film; asked for once, and then there for each kind of file.
function markFilm(result) {
  const limit = unsureLimit();
  if (job && (job.result !== result || job.limit !== limit || job.failed)) drop();
  if (!job) {
    job = { id: newName(), result, limit, ended: new AbortController() };
    job.made = mark(job);
  }
  return job.made;
}

async function mark(mine) {
  const { signal } = mine.ended;
  const tell = (words) => mine === job && ($("taken").textContent = words);
  $("cancel-marking").hidden = false;
  try {
    await dropped;
    signal.throwIfAborted();
    tell("Sending the film to the server…");
    let state = await server.markFilm(mine.id, mine.result.file, mine.limit, signal);
    while (state.state === "running") {
      tell(state.of ? `Marking frame ${state.frames} of ${state.of}…` : `Marking frame ${state.frames}…`);
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
      state = await server.filmState(mine.id, signal);
    }
    if (state.state !== "done") throw new Error(state.error);
    mine.note = state.error;
    return mine;
  } catch (error) {
    mine.failed = true;
    throw signal.aborted ? new DOMException("", "AbortError") : error;
  } finally {
    if (mine === job || !job) $("cancel-marking").hidden = true;
  }
}

async function saveOfFilm(result, file, name) {
  const made = await markFilm(result);
  save(server.filmAddress(made.id, file), name);
  if (made.note) throw new Error(made.note);
}

const asText = (result) => {
  const answer = result.answer ?? result.moments.at(-1).answer;
  const lines = answer.faces.map((face) => {
    const all = Object.entries(face.probabilities).map(([name, value]) => `${name} ${percent(value)}`);
    return `Face ${face.track}: ${nameOf(face)} (${all.join(", ")})`;
  });
  return [`${result.name}: ${result.text}`, ...lines].join("\n");
};

// Not over plain HTTP from elsewhere: there the clipboard is written by way of a selection.
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = element("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const isDone = document.execCommand("copy");
  area.remove();
  if (!isDone) throw new Error("This browser lets pages not write to the clipboard.");
}

export function startTakeaway() {
  const on = (id, words, action) =>
    $(id).addEventListener("click", async () => {
      const result = shown;
      try {
        await action(result);
        if (shown === result) $("taken").textContent = words;
      } catch (error) {
        // Who ended the marking of a film has told so.
        if (shown === result && error.name !== "AbortError") $("taken").textContent = error.message;
      }
    });
  $("cancel-marking").addEventListener("click", cancelMarking);
  const byServer = ({ kind, isStill }) => server && kind === "film" && !isStill;
  const table = (kind, type, make) => (result) => {
    const name = `${stem(result.name)}.faces.${kind}`;
    if (byServer(result)) return saveOfFilm(result, `faces.${kind}`, name);
    saveBlob(new Blob([make(result)], { type }), name);
  };
  on("save-marked", "Saved.", (result) =>
    result.kind === "film" ? saveOfFilm(result, "marked.mp4", `${stem(result.name)}.marked.mp4`) : saveMarked(result),
  );
  on("save-csv", "Saved.", table("csv", "text/csv", asCsv));
  on("save-json", "Saved.", table("json", "application/json", asJson));
  on("copy", "Copied.", (result) => copy(asText(result)));
}
