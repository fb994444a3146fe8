import { userInfo } from 'node:os';
import t from 'tap';
import { groupId, groupName, userId, userName } from '../../../engine/system/mod.ts';

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
