// The page's events. All work on faces is done where source.js asks.

import { askModel } from "./ask.js";
import { percent } from "./draw.js";
import { startCamera } from "./film.js";
import { clearOrUndo } from "./history.js";
import { showFiles } from "./pictures.js";
import { where } from "./source.js";
import { say, showError, stop, clearErrors } from "./stage.js";
import { startTimeline } from "./timeline.js";

const $ = (id) => document.getElementById(id);

async function showModel() {
  try {
    const model = await askModel();
    const accuracy = model.accuracy === null ? "unknown" : `${(100 * model.accuracy).toFixed(1)} %`;
    const network = model.network ? `“${model.network}” ` : "";
    const parts = [`Model ${network}version ${model.version}`, `validation accuracy ${accuracy}`];
    if (model.macro_f1 !== null) parts.push(`macro F1 ${model.macro_f1.toFixed(3)}`);
    if (model.pictures) parts.push(`on ${model.pictures.toLocaleString("en")} pictures`);
    $("model").textContent = parts.join(", ");
    $("card").hidden = !model.card;
    $("no-card").hidden = model.card;
    if (model.accuracy !== null) {
      $("errs").textContent = `Of its validation pictures it has ${percent(1 - model.accuracy)} wrong.`;
    }
  } catch (error) {
    $("model").textContent = "Model: not reachable";
    showError(error.message);
  }
}

function onChoice(id) {
  $(id).addEventListener("change", (event) => {
    const files = [...event.target.files];
    event.target.value = ""; // so that the same file can be chosen again
    if (files.length) showFiles(files);
  });
}

function receive(data, how) {
  const files = [...data.files];
  if (files.length) {
    showFiles(files);
    return;
  }
  clearErrors();
  showError(`What was ${how} holds no file: choose, drop or paste pictures or films.`);
}

onChoice("picture");
onChoice("film");
$("camera").addEventListener("click", () => ($("camera").dataset.state === "on" ? cancel() : startCamera()));
for (const id of ["cancel", "end"]) $(id).addEventListener("click", cancel);
$("play").addEventListener("click", () => {
  const video = $("video");
  if (video.paused) video.play();
  else video.pause();
  $("play").textContent = video.paused ? "Go on" : "Pause";
});
$("clear").addEventListener("click", clearOrUndo);

function cancel() {
  stop("cancelled");
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") cancel();
});
document.addEventListener("paste", (event) => receive(event.clipboardData, "pasted"));
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dropping");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  receive(event.dataTransfer, "dropped");
});

startTimeline();
$("where").textContent = where() || $("where").textContent;
showModel();
