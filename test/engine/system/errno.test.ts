import t from 'tap';
import { errnoName, errnoOf, systemError } from '../../../engine/system/mod.ts';

t.test('systemError: the code says what kind of refusal it is', async (t) => {
  for (const [errno, code] of [
    ['ENOSPC', 'no-space'],
    ['EDQUOT', 'no-space'],
    ['EROFS', 'read-only'],
    ['EACCES', 'forbidden'],
    ['EPERM', 'forbidden'],
    ['EEXIST', 'exists'],
    ['EOPNOTSUPP', 'unsupported'],
    ['EIO', 'io'],
    ['ENOENT', 'io'],
  ] as const) {
    t.match(systemError(-errnoOf[errno], 'try', 'path'), { code, errno, object: 'path', name: 'LaganError' });
  }
  t.equal(errnoName(2), 'ENOENT');
  t.equal(errnoName(9999), 'E9999');
  t.match(systemError(2, 'open', Buffer.from([0x61, 0xff])).message, 'could not open "a\ufffd": no such file or directory (ENOENT)');
});
