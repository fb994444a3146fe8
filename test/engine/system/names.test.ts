import { userInfo } from 'node:os';
import t from 'tap';
import { errnoName, errnoOf, groupId, groupName, systemError, userId, userName } from '../../../engine/system/mod.ts';

t.test('userName and userId: are inverse', async (t) => {
  t.equal(userName(0), 'root');
  t.equal(userId('root'), 0);
  const { uid, username } = userInfo();
  t.equal(userName(uid), username);
  t.equal(userId(username), uid);
});

t.test('groupName and groupId: are inverse', async (t) => {
  t.equal(groupName(0), 'root');
  t.equal(groupId('root'), 0);
});

t.test('names: nobody has these', async (t) => {
  for (let round = 0; round < 2; round++) {
    t.equal(userName(3_999_999_999), '');
    t.equal(groupName(3_999_999_999), '');
    t.equal(userId('no such user'), undefined);
    t.equal(groupId('no such group'), undefined);
    t.equal(userId(''), undefined);
    t.equal(userId('a\0b'), undefined);
  }
});

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
  t.match(systemError(2, 'open', Buffer.from([0x61, 0xff])).message, 'could not open "a\ufffd": ENOENT');
});
