// Whether a file is a film: its content tells, and where that says nothing, what the system calls it.

const startsWith = (bytes, text, at = 0) =>
  [...text].every((letter, index) => bytes[at + index] === letter.charCodeAt(0));

const STILLS = ["heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1", "avif", "avis"];

export function isFilm(bytes, type) {
  if (startsWith(bytes, "ftyp", 4)) return !STILLS.some((brand) => startsWith(bytes, brand, 8));
  if (["\x1aE\xdf\xa3", "OggS", "FLV"].some((text) => startsWith(bytes, text))) return true;
  if (startsWith(bytes, "RIFF")) return startsWith(bytes, "AVI ", 8);
  if (["\xff\xd8\xff", "\x89PNG", "GIF8", "BM", "II*\0", "MM\0*"].some((text) => startsWith(bytes, text))) return false;
  return type.startsWith("video/");
}

// Throws where the file can't be read: a folder, or one that is gone.
export async function kindOf(file) {
  let bytes;
  try {
    bytes = new Uint8Array(await file.slice(0, 32).arrayBuffer());
  } catch {
    throw new Error(`${file.name} cannot be read. If it is a folder, drop the files in it.`);
  }
  return isFilm(bytes, file.type) ? "film" : "picture";
}
