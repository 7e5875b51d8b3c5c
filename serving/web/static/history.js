// The session's list. An entry holds a small JPEG and the means to show its result again, no pixels.

import { element } from "./draw.js";

const THUMBNAIL_PX = 200;
const $ = (id) => document.getElementById(id);

let cleared = []; // what "Undo" brings back

// `picture` is an ImageBitmap of the result without its marks; it is not kept.
export async function remember(name, text, show, picture) {
  const factor = Math.min(1, THUMBNAIL_PX / Math.max(picture.width, picture.height));
  const small = new OffscreenCanvas(
    Math.max(1, Math.round(picture.width * factor)),
    Math.max(1, Math.round(picture.height * factor)),
  );
  small.getContext("2d").drawImage(picture, 0, 0, small.width, small.height);
  const button = element("button");
  button.type = "button";
  const image = element("img");
  image.alt = "";
  image.decoding = "async";
  const blob = await small.convertToBlob({ type: "image/jpeg", quality: 0.8 });
  image.src = URL.createObjectURL(blob);
  button.append(image, element("span", "", name), element("small", "", text));
  button.addEventListener("click", show);
  const item = element("li");
  item.append(button);
  forget();
  $("history").prepend(item);
  update();
}

function update() {
  const count = $("history").children.length;
  $("no-history").hidden = count > 0;
  $("clear").hidden = !count && !cleared.length;
  $("clear").textContent = cleared.length ? "Undo: bring the list back" : "Clear the list";
}

function forget() {
  for (const item of cleared) URL.revokeObjectURL(item.querySelector("img").src);
  cleared = [];
}

export function clearOrUndo() {
  if (cleared.length) {
    $("history").replaceChildren(...cleared);
    cleared = [];
  } else {
    cleared = [...$("history").children];
    $("history").replaceChildren();
  }
  update();
}
