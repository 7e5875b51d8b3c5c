// A picture's pixels, as the browser decodes them: upright as EXIF tells, on white, colours as they are stored.

const STARTS = [
  ["\xff\xd8\xff", "JPEG"],
  ["\x89PNG\r\n\x1a\n", "PNG"],
  ["GIF8", "GIF"],
  ["BM", "BMP"],
  ["II*\0", "TIFF"],
  ["MM\0*", "TIFF"],
  ["\xff\x0a", "JPEG XL"],
  ["\0\0\0\x0cJXL ", "JPEG XL"],
  ["\0\0\0\x0cjP  ", "JPEG 2000"],
  ["8BPS", "Photoshop"],
];
const EVERYWHERE = ["JPEG", "PNG", "WebP", "BMP", "GIF"]; // what every browser decodes

// What is wrong with a picture, for the user.
export class Refusal extends Error {}

function formatOf(bytes) {
  const text = String.fromCharCode(...bytes.subarray(0, 32));
  if (text.startsWith("RIFF") && text.startsWith("WEBP", 8)) return "WebP";
  if (text.startsWith("ftyp", 4)) {
    const brands = text.slice(8);
    if (/avi[fs]/.test(brands)) return "AVIF";
    return /^(hei[cxms]|hev[cx]|mif1|msf1)/.test(brands) ? "HEIC" : "";
  }
  return STARTS.find(([start]) => text.startsWith(start))?.[1] ?? "";
}

// Width and height as the header states them, so that a picture too large is not decoded; null where it is not known.
function statedSize(format, bytes) {
  const view = new DataView(bytes.buffer);
  if (format === "PNG" && bytes.length > 24) return [view.getUint32(16), view.getUint32(20)];
  if (format !== "JPEG") return null;
  for (let at = 2; at + 9 < bytes.length; at += 2 + view.getUint16(at + 2)) {
    while (at + 9 < bytes.length && (bytes[at] !== 0xff || [0x00, 0x01, 0xff].includes(bytes[at + 1]))) at += 1;
    const marker = bytes[at + 1];
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame && at + 9 < bytes.length) return [view.getUint16(at + 7), view.getUint16(at + 5)];
  }
  return null;
}

function checkSize(width, height, most) {
  if (width * height <= most) return;
  throw new Refusal(
    `the picture has ${width} x ${height} pixels; at most ${most / 1e6} million are read: scale it down first`,
  );
}

// {width, height, read, close}: read(left, top, width, height) gives a part's RGBA bytes. `limits`: max_pixels, formats.
export async function openPicture(blob, { max_pixels: most, formats }) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  if (!bytes.length) throw new Refusal("the picture is empty (0 bytes)");
  const format = formatOf(bytes);
  const known = `${formats.slice(0, -1).join(", ")} or ${formats.at(-1)}`;
  if (!format) throw new Refusal(`the picture is not a picture that can be read (${known})`);
  const stated = statedSize(format, bytes);
  if (stated) checkSize(...stated, most);
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Refusal(
      EVERYWHERE.includes(format)
        ? "the picture is damaged or cut off, or too large for this browser"
        : `the picture is a ${format} picture, which this browser does not decode: save it as JPEG or PNG`,
    );
  }
  const { width, height } = bitmap;
  try {
    checkSize(width, height, most);
  } catch (error) {
    bitmap.close();
    throw error;
  }
  return { width, height, read: reader(bitmap), close: () => bitmap.close() };
}

function reader(bitmap) {
  const canvas = new OffscreenCanvas(1, 1);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return (left, top, width, height) => {
    canvas.width = width; // which clears it, too
    canvas.height = height;
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(bitmap, left, top, width, height, 0, 0, width, height);
    return context.getImageData(0, 0, width, height).data;
  };
}
