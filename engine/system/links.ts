/** Targets of symbolic links. */

import { failure, libc } from './_libc.ts';
import * as scratch from './_scratch.ts';
import type { Descriptor } from './descriptors.ts';
import { systemError } from './errno.ts';

/** The target of a symbolic link, raw bytes of any length. A name that is no symbolic link: LaganError `io`, errno EINVAL. */
export function readLink(parent: Descriptor, name: Uint8Array): Uint8Array {
  const address = scratch.putName('first', name);
  // Linux has no longer targets than PATH_MAX − 1; the region holds 64 KiB, so that nothing is cut even if that changes.
  const length = address < 0 ? address : libc.readlinkat(parent, address, scratch.address.value, scratch.attributeMaxBytes);
  if (length < 0) throw systemError(address < 0 ? address : failure(), 'read the symbolic link', name);
  return scratch.copyOut('value', length);
}
