import { readSync } from 'node:fs';
import { closeDescriptor, type Descriptor, tryOpenFile } from '../system/mod.ts';

/** What a backup leaves out. */
export interface ExcludeRules {
  /**
   * Patterns in the manner of gitignore: without `/` they match a name at any depth; with one, a path: beginning with `/` from the root of the file system, else
   * at any depth. `*` and `?` stay within a name, `**` does not; a trailing `/` matches folders only; a leading `!` takes back what earlier patterns excluded
   * (not below an excluded folder). The last pattern that matches decides.
   */
  readonly patterns?: readonly string[];
  /** Folders that contain one of these names are stored without their content. */
  readonly excludeIfPresent?: readonly string[];
  /** The same for folders that are tagged as caches (a `CACHEDIR.TAG` with the signature of bford.info/cachedir). */
  readonly excludeCaches?: boolean;
  /** Files larger than this many bytes are left out. */
  readonly excludeLargerThanBytes?: number | undefined;
}

const cacheTagName = Buffer.from('CACHEDIR.TAG');
const cacheTagSignature = Buffer.from('Signature: 8a477f597d28d172789f06886806bc55');

/** Whether a folder says of itself that it is a cache. */
export function isTaggedAsCache(folder: Descriptor): boolean {
  const descriptor = tryOpenFile(folder, cacheTagName);
  if (descriptor < 0) return false;
  try {
    const head = Buffer.alloc(cacheTagSignature.length);
    return readSync(descriptor, head, 0, head.length, 0) === head.length && head.equals(cacheTagSignature);
  } catch {
    return false;
  } finally {
    closeDescriptor(descriptor);
  }
}
