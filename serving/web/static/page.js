// The page's behaviour. All work on faces is done by the page's own server (/api/faces).

const MAX_UPLOAD_BYTES = 32 * 1024 * 1024;
const MAX_FRAME_PX = 960; // longest side of a film's frame as it is sent
const MAX_VIEW_PX = 1600; // longest side of a picture as it is shown

const $ = (id) => document.getElementById(id);
let colours = {};
let running = null; // the film or camera under way: {session, stop}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The page’s own server does not answer. Is “emotion web” still running?");
  }
  let answer = {};
  try {
    answer = await response.json();
  } catch {
    throw new Error(`The server answered ${response.status}, and nothing that can be read.`);
  }
  if (!response.ok) throw new Error(answer.error ?? `The server answered ${response.status}.`);
  return answer;
}

async function showModel() {
  try {
    const model = await ask("/api/model");
    colours = Object.fromEntries(model.labels.map((label) => [label.name, label.colour]));
    const accuracy = model.accuracy === null ? "unknown" : `${(100 * model.accuracy).toFixed(1)} %`;
    $("model").textContent = `Model version ${model.version}, validation accuracy ${accuracy}`;
  } catch (error) {
    $("model").textContent = "Model: not reachable";
    showError(error.message);
  }
}

function showError(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
  if (text) $("status").textContent = "";
}

function say(text) {
  $("status").textContent = text;
}

async function findFaces(blob, session = "", seconds = 0) {
  if (!Object.keys(colours).length) await showModel();
  const query = session ? `?session=${session}&seconds=${seconds.toFixed(3)}` : "";
  return ask(`/api/faces${query}`, {
    method: "POST",
    body: blob,
    headers: { "Content-Type": "application/octet-stream" },
  });
}

// Pictures

async function showPictures(files) {
  stop();
  for (const file of files) {
    showError("");
    if (file.size > MAX_UPLOAD_BYTES) {
      showError(`${file.name} is larger than ${MAX_UPLOAD_BYTES / 1024 / 1024} MiB; scale it down first.`);
      continue;
    }
    say(`Looking for faces in ${file.name}…`);
    try {
      const answer = await findFaces(file);
      const image = await decode(file);
      showResult(image, answer);
      const text = verdict(answer.faces);
      say(`${file.name}: ${text}`);
      remember(file.name, text, () => showResult(image, answer));
    } catch (error) {
      showError(error.message.replace(/^the picture\b/, file.name));
    }
  }
}

async function decode(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    throw new Error(`${file.name} was read by the server, but this browser cannot show its format.`);
  }
  const canvas = scaled(bitmap, bitmap.width, bitmap.height, MAX_VIEW_PX);
  bitmap.close();
  return canvas;
}

function scaled(source, width, height, longest) {
  const factor = Math.min(1, longest / Math.max(width, height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(width * factor);
  canvas.height = Math.round(height * factor);
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function showResult(image, answer) {
  $("empty").hidden = true;
  $("view").hidden = false;
  $("video").hidden = true;
  $("timeline-box").hidden = true;
  $("play-row").hidden = true;
  const canvas = $("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  drawFaces(context, answer);
  listFaces(answer.faces);
}

// Drawing

function drawFaces(context, answer) {
  const { width, height } = context.canvas;
  const factor = width / answer.width;
  const zoom = width / (context.canvas.clientWidth || width); // sizes are of the screen
  const line = 2.5 * zoom;
  const size = 13 * zoom;
  context.lineJoin = "round";
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  for (const face of answer.faces) {
    const box = [face.left, face.top, face.width, face.height].map((value) => value * factor);
    const colour = colours[face.label] ?? "#fff";
    for (const [extra, stroke] of [[2 * zoom, "#111"], [0, colour]]) {
      context.lineWidth = line + extra;
      context.strokeStyle = stroke;
      context.strokeRect(...box);
    }
    const text = `${face.track}  ${face.label} ${percent(face.probabilities[face.label])}`;
    const tagWidth = context.measureText(text).width + size * 0.8;
    const tagHeight = size * 1.5;
    const left = Math.max(0, Math.min(box[0] - line / 2, width - tagWidth));
    const top = box[1] - tagHeight >= 0 ? box[1] - tagHeight : Math.min(box[1], height - tagHeight);
    context.fillStyle = colour;
    context.fillRect(left, top, tagWidth, tagHeight);
    context.fillStyle = "#111";
    context.fillText(text, left + size * 0.4, top + tagHeight / 2);
  }
}

function listFaces(faces) {
  $("no-faces").hidden = faces.length > 0;
  $("no-faces").textContent = "No face was found.";
  $("faces").replaceChildren(...faces.map(faceItem));
}

function faceItem(face) {
  const item = element("li");
  const title = element("p", "verdict");
  title.append(
    swatch(face.label),
    `Face ${face.track}: ${face.label}, ${percent(face.probabilities[face.label])}`,
  );
  const bars = element("dl", "bars");
  for (const [name, value] of Object.entries(face.probabilities)) {
    const amount = element("dd");
    const number = element("span");
    number.textContent = percent(value);
    amount.append(bar(colours[name], value), number);
    const term = element("dt");
    term.textContent = name;
    bars.append(term, amount);
  }
  item.append(title, bars);
  return item;
}

// SVG attributes, since the Content-Security-Policy forbids inline styles.
function bar(colour, value) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const rectangle = document.createElementNS(space, "rect");
  svg.setAttribute("aria-hidden", "true");
  rectangle.setAttribute("width", `${100 * value}%`);
  rectangle.setAttribute("height", "100%");
  rectangle.setAttribute("fill", colour ?? "#888");
  svg.append(rectangle);
  return svg;
}

function swatch(label) {
  const canvas = element("canvas", "swatch");
  canvas.width = canvas.height = 1;
  canvas.setAttribute("aria-hidden", "true");
  const context = canvas.getContext("2d");
  context.fillStyle = colours[label] ?? "#888";
  context.fillRect(0, 0, 1, 1);
  return canvas;
}

function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

const percent = (value) => `${Math.round(100 * value)} %`;

function verdict(faces) {
  if (!faces.length) return "no face was found";
  const counts = {};
  for (const face of faces) counts[face.label] = (counts[face.label] ?? 0) + 1;
  const parts = Object.entries(counts).map(([label, count]) => `${count} ${label}`);
  return `${faces.length} ${faces.length === 1 ? "face" : "faces"}: ${parts.join(", ")}`;
}

// Films and the camera: one frame at a time is sent, and the next when its answer is there.

async function showFilm(file) {
  stop();
  showError("");
  const video = $("video");
  const address = URL.createObjectURL(file);
  video.srcObject = null;
  video.src = address;
  video.loop = false;
  try {
    await loaded(video);
  } catch {
    URL.revokeObjectURL(address);
    showError(`${file.name} is no film that this browser can play. “emotion annotate” reads more kinds.`);
    return;
  }
  follow(file.name, () => URL.revokeObjectURL(address), () => video.currentTime);
}

async function startCamera() {
  stop();
  showError("");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
  } catch (error) {
    const reason = error.name === "NotAllowedError" ? "this page was not allowed to use it" : error.message;
    showError(`The camera cannot be used: ${reason}.`);
    return;
  }
  const video = $("video");
  video.srcObject = stream;
  await loaded(video);
  $("camera").textContent = "Stop camera";
  $("camera").setAttribute("aria-pressed", "true");
  const begin = performance.now();
  follow("Camera", () => stream.getTracks().forEach((track) => track.stop()), () => (performance.now() - begin) / 1000);
}

function loaded(video) {
  return new Promise((resolve, reject) => {
    video.onloadeddata = resolve;
    video.onerror = reject;
  });
}

async function follow(name, release, clock) {
  const video = $("video");
  const canvas = $("canvas");
  const context = canvas.getContext("2d");
  const history = [];
  const me = { session: newSession(), over: false, stop: null };
  let last = null;
  me.stop = () => {
    if (me.over) return;
    me.over = true;
    video.pause();
    if (last) {
      const { picture, answer } = last;
      const text = history.length ? `${history.length} frames, mostly ${dominant(history)}` : "no face was found";
      say(`${name}: ${text}`);
      remember(name, text, () => {
        showResult(picture, answer);
        showTimeline(history);
      });
    }
    release();
    running = null;
    $("play-row").hidden = true;
    $("camera").textContent = "Start camera";
    $("camera").setAttribute("aria-pressed", "false");
  };
  running = me;
  $("empty").hidden = true;
  $("view").hidden = false;
  $("video").hidden = false;
  $("play-row").hidden = false;
  $("timeline-box").hidden = true;
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  $("play").textContent = "Pause";
  video.onseeked = () => (me.session = newSession());
  video.onended = me.stop;
  say(`${name} is running; the faces are listed as they are found.`);
  await video.play();
  while (!me.over) {
    if (video.paused) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      continue;
    }
    const seconds = clock();
    const picture = scaled(video, video.videoWidth, video.videoHeight, MAX_FRAME_PX);
    const blob = await new Promise((resolve) => picture.toBlob(resolve, "image/jpeg", 0.9));
    let answer;
    try {
      answer = await findFaces(blob, me.session, seconds);
    } catch (error) {
      me.stop();
      showError(error.message);
      return;
    }
    last = { picture, answer };
    if (answer.faces.length) history.push({ seconds, label: dominantOf(answer.faces) });
    if (me.over) return;
    // The frame that was asked about, not the one the film has come to since: the marks must fit.
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    drawFaces(context, answer);
    listFaces(answer.faces);
    showTimeline(history);
    $("clock").textContent = `${seconds.toFixed(1)} s`;
  }
}

const newSession = () => crypto.randomUUID();

function dominantOf(faces) {
  const sums = {};
  for (const face of faces)
    for (const [name, value] of Object.entries(face.probabilities)) sums[name] = (sums[name] ?? 0) + value;
  return Object.entries(sums).sort((a, b) => b[1] - a[1])[0][0];
}

function dominant(history) {
  const counts = {};
  for (const { label } of history) counts[label] = (counts[label] ?? 0) + 1;
  return Object.entries(counts).sort((a, b) => b[1] - a[1])[0][0];
}

function showTimeline(history) {
  $("timeline-box").hidden = history.length < 2;
  if (history.length < 2) return;
  const canvas = $("timeline");
  const context = canvas.getContext("2d");
  const begin = history[0].seconds;
  const length = Math.max(history.at(-1).seconds - begin, 0.1);
  context.clearRect(0, 0, canvas.width, canvas.height);
  history.forEach(({ seconds, label }, index) => {
    const left = ((seconds - begin) / length) * canvas.width;
    const next = history[index + 1]?.seconds ?? history.at(-1).seconds;
    context.fillStyle = colours[label] ?? "#888";
    context.fillRect(left, 0, ((Math.min(next, seconds + 1) - seconds) / length) * canvas.width + 1, canvas.height);
  });
  canvas.setAttribute("aria-label", `Dominant emotion over time: mostly ${dominant(history)}`);
}

function stop() {
  running?.stop();
}

// The session's list

function remember(name, text, show) {
  const canvas = scaled($("canvas"), $("canvas").width, $("canvas").height, 320);
  canvas.setAttribute("aria-hidden", "true");
  const button = element("button");
  button.type = "button";
  const detail = element("small");
  detail.textContent = text;
  button.append(canvas, name, detail);
  button.addEventListener("click", () => {
    stop();
    showError("");
    show();
    say(`${name}: ${text}`);
    $("stage").focus();
  });
  const item = element("li");
  item.append(button);
  $("history").prepend(item);
  $("no-history").hidden = true;
  $("clear").hidden = false;
}

// Events

function show(files) {
  const film = files.find((file) => file.type.startsWith("video/"));
  if (film) showFilm(film);
  else if (files.length) showPictures(files);
}

function onChoice(id, action) {
  $(id).addEventListener("change", (event) => {
    const files = [...event.target.files];
    event.target.value = ""; // so that the same file can be chosen again
    if (files.length) action(files);
  });
}

onChoice("picture", showPictures);
onChoice("film", ([file]) => showFilm(file));
$("camera").addEventListener("click", () => (running && $("camera").getAttribute("aria-pressed") === "true" ? stop() : startCamera()));
$("play").addEventListener("click", () => {
  const video = $("video");
  if (video.paused) video.play();
  else video.pause();
  $("play").textContent = video.paused ? "Go on" : "Pause";
});
$("clear").addEventListener("click", () => {
  $("history").replaceChildren();
  $("no-history").hidden = false;
  $("clear").hidden = true;
  $("picture").focus();
});
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
  show([...event.dataTransfer.files]);
});

showModel();
