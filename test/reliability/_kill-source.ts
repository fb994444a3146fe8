/** What a writer's source holds in each version: known to whoever knows the numbers. */
import { randomBytesOf } from '../engine/random.ts';

const files = 24;

/** Each version has another content in some of the files; the two writers share a part of them. */
export function contentsOfVersion(writer: number, version: number): Map<string, Uint8Array> {
  const contents = new Map<string, Uint8Array>();
  for (let file = 0; file < files; file++) {
    const age = Math.floor((version + file) / 6);
    const owner = file % 3 === 0 ? 'both' : `writer ${writer}`;
    contents.set(`folder-${file % 5}/file-${file}`, randomBytesOf(`${owner} ${file} ${age % 7}`, 2_000 + file * 3_000));
  }
  return contents;
}
