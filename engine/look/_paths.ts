/** Paths in snapshots: absolute, raw bytes, parts divided by '/'. */
const slash = 0x2f;

/** The names of which a path is made: none for '/'. Slashes at the end and repeated ones count for nothing. */
export function partsOfPath(path: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (let end = 0; end <= path.length; end++) {
    if (end < path.length && path[end] !== slash) continue;
    if (end > start) parts.push(path.subarray(start, end));
    start = end + 1;
  }
  return parts;
}

/** `/a/b` from its parts. */
export function pathOfParts(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 0) return Uint8Array.of(slash);
  let path: Uint8Array = new Uint8Array(0);
  for (const part of parts) path = joinPath(path, part);
  return path;
}

/** `folder/name`; `folder` is without a slash at its end, the top is empty. */
export function joinPath(folder: Uint8Array, name: Uint8Array): Uint8Array {
  const path = new Uint8Array(folder.length + 1 + name.length);
  path.set(folder);
  path[folder.length] = slash;
  path.set(name, folder.length + 1);
  return path;
}

/** The path as people read it. */
export function textOfPath(path: Uint8Array): string {
  return Buffer.from(path.buffer, path.byteOffset, path.length).toString();
}
