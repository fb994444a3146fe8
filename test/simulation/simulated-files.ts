/**
 * The files of a simulation lie on the machine, but their inode numbers and times are those of the world: what is stored of them is as long on every machine, so a seed does
 * the same everywhere.
 */
import { libc } from '../../engine/system/_libc.ts';
import * as scratch from '../../engine/system/_scratch.ts';

/** All times are after this one, in seconds since 1970: long ago, so that nobody waits for a tick of the clock. */
const firstSeconds = Date.UTC(2010, 0, 1) / 1000;
const directoryType = 4;
/** In struct statx, as 32-bit words; see engine/system/stat.ts. */
const at = { typeAndMode: 7, inode: 8, accessed: 16, born: 20, changed: 24, modified: 28, device: 34, mountId: 36 } as const;

/** What statx says from now on, as long as `isSimulated`. Returns what takes that back. */
export function simulateFiles(isSimulated: () => boolean): () => void {
  const { statx } = libc;
  const inodes = new Map<string, number>();
  const versions = new Map<string, number>();
  const numberIn = (known: Map<string, number>, key: string): number => {
    const number = known.get(key) ?? known.size + 1;
    known.set(key, number);
    return number;
  };
  libc.statx = (...parameters) => {
    const result = statx!(...parameters);
    if (result < 0 || !isSimulated()) return result;
    const words = scratch.words.subarray(scratch.at.status >>> 2);
    const file = [words[at.device], words[at.device + 1], words[at.inode], words[at.inode + 1]].join(':');
    const isDirectory = (words[at.typeAndMode]! & 0xffff) >>> 12 === directoryType;
    // Others change the folders above the sources at any time.
    const version = isDirectory ? 0 : numberIn(versions, `${file} ${words[at.changed]} ${words[at.changed + 2]}`);
    words.set([numberIn(inodes, file), 0], at.inode);
    for (const time of [at.accessed, at.born, at.changed, at.modified]) words.set([firstSeconds + version, 0, version], time);
    words.set([0, 1], at.device);
    words.set([1, 0], at.mountId);
    return result;
  };
  return () => {
    libc.statx = statx;
  };
}
