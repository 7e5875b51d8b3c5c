// The page's events. Who answers about faces, ask.js alone knows.

import { askModel } from "./ask.js";
import { isCameraOn, startCamera, startCameraControls } from "./camera.js";
import { percent, setUnsureLimit, unsureLimit } from "./draw.js";
import { endFilm, seek, startFilmControls } from "./film.js";
import { clearOrUndo, retellAll, startHistory } from "./history.js";
import { openResult, showFiles } from "./pictures.js";
import { where } from "./source.js";
import { clearErrors, isIdle, redraw, say, showError, startStage, stop } from "./stage.js";
import { cancelMarking, shownResult, startTakeaway } from "./takeaway.js";
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
    showUnsure();
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
  if (isIdle()) clearErrors();
  showError(`What was ${how} holds no file: choose, drop or paste pictures or films.`);
}

onChoice("picture");
onChoice("film");
$("camera").addEventListener("click", () => (isCameraOn() ? cancel() : startCamera()));
$("cancel").addEventListener("click", cancel);
$("end").addEventListener("click", endFilm);
$("clear").addEventListener("click", clearOrUndo);
for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", async () => {
    const { example } = button.dataset;
    try {
      const response = await fetch(`./${example}`);
      showFiles([new File([await response.blob()], example, { type: "image/jpeg" })]);
    } catch {
      showError(`${example} cannot be fetched: the server that the page came from does not answer.`);
    }
  });
}

function showUnsure() {
  $("unsure").value = Math.round(100 * unsureLimit());
  $("unsure-text").textContent = percent(unsureLimit());
}

$("unsure").addEventListener("input", () => {
  setUnsureLimit(Number($("unsure").value) / 100);
  showUnsure();
  redraw();
  retellAll();
  const result = shownResult();
  if (result?.kind === "picture") say(`${result.name}: ${result.text}`);
});

function cancel() {
  stop("cancelled");
  cancelMarking();
}

$("skip").addEventListener("click", (event) => {
  event.preventDefault();
  $(document.body.dataset.view === "result" ? "stage" : "choose").focus();
});

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

startStage();
startTimeline(seek);
startFilmControls();
startCameraControls(() => {
  cancel();
  startCamera();
});
startTakeaway();
$("where").textContent = where() || $("where").textContent;
showModel();
startHistory(openResult);
