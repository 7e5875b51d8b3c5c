// What a file is: its content tells, and where that says nothing, what the system calls it; and whether it is whole.

const HEAD_BYTES = 400;
const PACKET_BYTES = 188; // of an MPEG transport stream; each begins with this:
const SYNC = 0x47;

const startsWith = (bytes, text, at = 0) =>
  [...text].every((letter, index) => bytes[at + index] === letter.charCodeAt(0));

const STILLS = ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "avif", "avis"];

export function isFilm(bytes, type) {
  if (startsWith(bytes, "ftyp", 4)) return !STILLS.some((brand) => startsWith(bytes, brand, 8));
  if (["\x1aE\xdf\xa3", "OggS", "FLV"].some((text) => startsWith(bytes, text))) return true;
  if (startsWith(bytes, "RIFF")) return startsWith(bytes, "AVI ", 8);
  if (["\xff\xd8\xff", "\x89PNG", "GIF8", "BM", "II*\0", "MM\0*"].some((text) => startsWith(bytes, text))) return false;
  if ([0, 1, 2].every((index) => bytes[index * PACKET_BYTES] === SYNC)) return true;
  return type.startsWith("video/");
}

// Throws where the file can't be read: a folder, or one that is gone.
export async function kindOf(file) {
  let bytes;
  try {
    bytes = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  } catch {
    throw new Error(`${file.name} cannot be read. If it is a folder, drop the files in it.`);
  }
  return isFilm(bytes, file.type) ? "film" : "picture";
}

const viewOf = async (file, begin, length) => new DataView(await file.slice(begin, begin + length).arrayBuffer());

// How many bytes a film says that it has; 0 where it does not say. Browsers play what there is of one that is cut
// off, and say nothing.
export async function statedBytes(file) {
  const head = await viewOf(file, 0, 8);
  if (head.byteLength < 8) return 0;
  if (head.getUint32(0) === 0x1a45dfa3) return matroskaBytes(file);
  return head.getUint32(4) === 0x66747970 ? mp4Bytes(file) : 0;
}

// ISO/IEC 14496-12: boxes one after the other, each with its size and its kind; 0 is up to the end, 1 a size of 64 bits.
async function mp4Bytes(file) {
  let at = 0;
  while (at < file.size) {
    const box = await viewOf(file, at, 16);
    if (box.byteLength < 8) return at + 8;
    let size = box.getUint32(0);
    if (size === 1 && box.byteLength === 16) size = Number(box.getBigUint64(8));
    if (size === 0) return file.size;
    if (size < 8) return 0;
    at += size;
  }
  return at;
}

// RFC 8794 and RFC 9559: the EBML header, then a segment; a size whose bits are all set is unknown, as in a stream.
async function matroskaBytes(file) {
  const view = await viewOf(file, 0, HEAD_BYTES);
  const numberAt = (at) => {
    const width = Math.clz32(view.getUint8(at)) - 23;
    if (width > 8 || at + width > view.byteLength) throw new RangeError();
    let value = BigInt(view.getUint8(at) & (0xff >> width));
    for (let index = 1; index < width; index += 1) value = (value << 8n) | BigInt(view.getUint8(at + index));
    return { width, value: Number(value), isUnknown: value === (1n << BigInt(7 * width)) - 1n };
  };
  try {
    const header = numberAt(4);
    const segment = 4 + header.width + header.value;
    const size = numberAt(segment + 4);
    return view.getUint32(segment) === 0x18538067 && !size.isUnknown ? segment + 4 + size.width + size.value : 0;
  } catch (error) {
    if (error instanceof RangeError) return 0; // damaged, or written otherwise: nothing to tell
    throw error;
  }
}
