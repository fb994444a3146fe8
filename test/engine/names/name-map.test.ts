import t from 'tap';
import { NameMap, wordAt } from '../../../engine/names/mod.ts';
import { randomNames } from '../random.ts';

t.test('NameMap: what was added is found, what was not is -1, at any size', async (t) => {
  for (const count of [0, 1, 11, 12, 13, 1_000, 100_000]) {
    const names = randomNames(`there ${count}`, count);
    const map = new NameMap();
    for (let index = 0; index < count; index++) map.add(names, index * 32, index);
    let found = 0;
    for (let index = 0; index < count; index++) if (map.get(names, index * 32) === index) found++;
    t.equal(found, count, `${count} names`);
    t.equal(map.size, count);
    const others = randomNames('not there', 1_000);
    for (let index = 0; index < 1_000; index++) if (map.get(others, index * 32) !== -1) t.fail(`${index} was never added`);
  }
});

t.test('NameMap: with room from the start it says the same', async (t) => {
  const names = randomNames('expected', 5_000);
  const map = new NameMap(5_000);
  for (let index = 0; index < 5_000; index++) map.add(names, index * 32, index);
  t.equal(map.get(names, 4_999 * 32), 4_999);
  t.equal(map.get(names, 0), 0);
});

t.test('NameMap: the first value of a name stays, also 0', async (t) => {
  const names = randomNames('twice', 2);
  const map = new NameMap();
  map.add(names, 0, 0);
  map.add(names, 0, 7);
  t.equal(map.get(names, 0), 0);
  t.equal(map.size, 1);
});

t.test('NameMap: names that begin with the same word are told apart', async (t) => {
  const names = randomNames('alike', 1_000);
  for (let index = 0; index < 1_000; index++) names.set([1, 2, 3, 4], index * 32);
  const map = new NameMap();
  for (let index = 0; index < 1_000; index++) map.add(names, index * 32, index);
  t.equal(map.size, 1_000);
  for (let index = 0; index < 1_000; index++) if (map.get(names, index * 32) !== index) t.fail(`${index} is lost`);
});

t.test('wordAt: little endian, signed, at any offset', async (t) => {
  t.equal(wordAt(Uint8Array.of(9, 0x78, 0x56, 0x34, 0x12), 1), 0x12345678);
  t.equal(wordAt(Uint8Array.of(0xff, 0xff, 0xff, 0xff), 0), -1);
});
