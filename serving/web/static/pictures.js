// What was chosen, dropped or pasted: pictures first, then films, each in its turn.

import { MAX_UPLOAD_BYTES, asJpeg, askModel, findFaces, newName } from "./ask.js";
import { plural, verdict } from "./draw.js";
import { openFilm, showFilm } from "./film.js";
import { address, noAddress, remember } from "./history.js";
import { kindOf } from "./kind.js";
import { leave, progress, say, showError, showNothing, showParts, showPicture, showStart, take } from "./stage.js";
import { offer } from "./takeaway.js";
import { showTimeline } from "./timeline.js";
import { offerWhy } from "./why.js";

const $ = (id) => document.getElementById(id);

let batch = null; // the pictures under way: {pinned}; pinned while the user looks at an earlier result
let reopened = 0; // counts, so that of two quick clicks the later one wins

export async function showFiles(files) {
  const signal = take();
  const mine = { pinned: false };
  const counts = { pictures: 0, faces: 0, films: 0, inPart: 0, failed: 0 };
  const films = [];
  let done = 0;
  batch = mine;
  showNothing("Looking for faces.");
  const each = async (file, action) => {
    if (signal.aborted) return;
    if (files.length > 1) progress(`${done + 1} of ${files.length}: ${file.name}`);
    try {
      if ((await action(file)) && !signal.aborted) done += 1;
    } catch (error) {
      if (signal.aborted) return;
      done += 1;
      counts.failed += 1;
      const text = error.message.replace(/^the picture\b/, file.name);
      showError(text.includes(file.name) ? text : `${file.name}: ${text}`);
      if (error.kept || mine.pinned) return;
      // The result before must not stand there as this file's.
      showNothing(`${file.name} could not be looked at.`);
      noAddress(signal);
      say("");
    }
  };
  for (const file of files) {
    await each(file, async () => {
      if ((await kindOf(file)) === "film") return void films.push(file);
      counts.faces += (await showOne(file, signal, mine)).length;
      counts.pictures += 1;
      return true;
    });
  }
  if (batch === mine) batch = null;
  mine.pinned = false;
  for (const file of films) {
    await each(file, async () => {
      const isSeen = await showFilm(file, signal);
      if (!signal.aborted) counts.films += 1;
      else if (isSeen) counts.inPart += 1;
      return true;
    });
  }
  if (files.length > 1) close(signal, counts, done, files.length);
  else if (signal.reason === "cancelled" && $("view").hidden) {
    showStart();
    say("Cancelled.");
  }
  leave(signal);
}

function close(signal, counts, done, all) {
  // Another action has the stage by now, and its own words.
  if (signal.reason === "superseded") return;
  const parts = [];
  if (counts.pictures) parts.push(`${plural(counts.pictures, "picture")} with ${plural(counts.faces, "face")}`);
  if (counts.films) parts.push(plural(counts.films, "film"));
  if (counts.inPart) parts.push(`${plural(counts.inPart, "film")} in part`);
  if (counts.failed) parts.push(`${counts.failed} failed`);
  say(`${signal.aborted ? `Cancelled after ${done} of ${all}` : `All ${all} done`}: ${parts.join(", ") || "nothing yet"}.`);
}

async function showOne(file, signal, mine) {
  if (file.size > MAX_UPLOAD_BYTES) {
    throw new Error(`${file.name} is larger than ${MAX_UPLOAD_BYTES / 1024 / 1024} MiB; scale it down first.`);
  }
  if (!mine.pinned) say(`Looking for faces in ${file.name}…`);
  const answer = await findFaces(file, signal);
  const bitmap = await decode(file, signal);
  const text = verdict(answer.faces);
  const result = { id: newName(), kind: "picture", name: file.name, text, file, answer };
  try {
    signal.throwIfAborted();
    if (!mine.pinned) {
      address(result.id, signal);
      showParts();
      offerWhy(file, answer);
      showPicture(bitmap, bitmap.width, bitmap.height, answer, file.name);
      offer(result);
      say(`${file.name}: ${text}`);
    }
    await remember(result, bitmap);
  } finally {
    bitmap.close();
  }
  return answer.faces;
}

// Shows an earlier result again; pictures that are under way go on behind it.
export async function openResult(result) {
  const turn = ++reopened;
  if (result.kind === "film" && !result.isStill && !batch) {
    openFilm(result);
    return;
  }
  if (batch) batch.pinned = true;
  const signal = batch ? null : take();
  const { moments, name, text } = result;
  const still = result.still ?? result.file;
  const answer = result.answer ?? moments.at(-1).answer;
  let bitmap;
  try {
    await askModel(signal);
    bitmap = await decode(still, signal);
  } catch (error) {
    if (!signal?.aborted) showError(`${name} cannot be shown again: ${error.message}`);
    return;
  }
  if (turn === reopened && !signal?.aborted) {
    showParts();
    offerWhy(still, answer);
    showPicture(bitmap, bitmap.width, bitmap.height, answer, name);
    if (moments) showTimeline(moments);
    offer(result);
    say(`${name}: ${text}`);
    $("stage").focus();
  }
  bitmap.close();
  if (signal) leave(signal);
}

async function decode(file, signal) {
  const upright = { imageOrientation: "from-image" };
  try {
    return await createImageBitmap(file, upright);
  } catch {
    return createImageBitmap(await asJpeg(file, signal), upright);
  }
}
