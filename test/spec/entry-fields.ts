import { noExtensions } from '../../repo-format/mod.ts';

/** The fields that entries of every type have, for tests in which they do not matter. */
export const entryFields = {
  mode: 0o644,
  uid: 0,
  gid: 0,
  userName: '',
  groupName: '',
  mtime: { seconds: 0, nanoseconds: 0 },
  ctime: { seconds: 0, nanoseconds: 0 },
  inode: 1,
  extensions: noExtensions,
};
