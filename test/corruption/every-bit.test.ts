/**
 * Every kind of object, damaged in every way that a table can list. Whatever is damaged, no restored file has a byte that was not backed up.
 * With `LAGAN_EVERY_BIT=1` it is every bit of every object, and every class of damage through check and restore; otherwise every bit of one object of each
 * kind, but of ciphertexts only those of some bytes, and a sample of the classes.
 */
import t from 'tap';
import { parseSealedHeader } from '../../repo-format/mod.ts';
import { classesOf, cutsOf, flipped, flipsOf, otherNameOf, resized } from './_damage.ts';
import { kindOfObject, kindsOfObjects, makeEveryKind } from './_every-kind.ts';
import { FormatJudge, outcomeOf } from './_judges.ts';
import { namesBelow, type Objects } from './sample-repository.ts';

const scratch = t.testdir();
const sample = await makeEveryKind(scratch);
const judge = new FormatJudge(sample);
const keyFile = [...sample.secrets.values()].find(({ kind }) => kind === 'key-file')!;
const isWhole = process.env.LAGAN_EVERY_BIT === '1';
/** The newest of each kind, which is in use; packs of content and of metadata count as two kinds. */
const newest = new Map([...sample.objects].map(([name, bytes]) => [kindWithin(name, bytes), { name, bytes }]));
/** Nobody reads a copy of these: nothing refers to it. */
const neverRead = new Set(['pack of writer', 'pack of collector', 'base-index']);

function kindWithin(name: string, bytes: Uint8Array): string {
  const kind = kindOfObject(name);
  return kind.startsWith('pack') ? `${kind}, ${parseSealedHeader(bytes).kind}` : kind;
}

/** All data is read for packs only: what is wrong with anything else is found without, and so is what a restore needs of it. */
const outcomeWith = (change: (objects: Objects) => void, name = '') => {
  const objects = new Map(sample.objects);
  change(objects);
  const readsAll = isWhole || name === '' || name.includes('/packs/');
  return outcomeOf(sample, { objects, secret: sample.secrets.get(name) ?? keyFile, scratch, readsAll });
};

t.test('the sample has an object of every kind, and all of them open', async (t) => {
  t.same([...new Set([...sample.objects.keys()].map(kindOfObject))].sort(), [...kindsOfObjects].sort());
  for (const [name, bytes] of sample.objects) t.equal(judge.codeOf(name, bytes), undefined, name);
  t.same(await outcomeWith(() => {}), { noticed: undefined, wrong: [] });
});

t.test('decoders: every flipped bit is an error', async (t) => {
  const counts = { flips: 0, detected: 0 };
  const objects = isWhole ? [...sample.objects].map(([name, bytes]) => ({ name, bytes })) : [...newest.values()];
  for (const { name, bytes } of objects) {
    for (const flip of flipsOf(name, bytes, { everyByte: isWhole })) {
      counts.flips++;
      if (judge.codeOf(name, flipped(bytes, flip)) !== undefined) counts.detected++;
      else t.fail(`${name}: bit ${flip.bit} of byte ${flip.offset} (${flip.field}) can be flipped`);
    }
  }
  t.equal(counts.detected, counts.flips, `${counts.flips} flips, ${counts.detected} detected`);
});

t.test('decoders: cut at, before and after every boundary', async (t) => {
  for (const [name, bytes] of sample.objects) {
    const taken = cutsOf(name, bytes).filter((size) => judge.codeOf(name, resized(bytes, size)) === undefined);
    t.same(taken, [], `${name}: sizes that are taken for whole`);
  }
});

t.test('decoders: an object under the name of any other, or under a new one', async (t) => {
  for (const [name, bytes] of sample.objects) {
    const taken = [...sample.objects.keys()].filter((other) => other !== name && judge.codeOf(other, bytes) === undefined);
    t.same(taken, [], `${name}: names under which it opens`);
    const copy = otherNameOf(name);
    if (copy !== undefined) t.not(judge.codeOf(copy, bytes), undefined, `${name} as ${copy}`);
  }
});

t.test('check and restore: a flipped bit is noticed, and nothing wrong is restored', async (t) => {
  for (const [kind, { name, bytes }] of newest) {
    for (const [index, flip] of [...classesOf(name, bytes)].entries()) {
      if (!isWhole && index % 40 !== 0) continue;
      const { noticed, wrong } = await outcomeWith((objects) => objects.set(name, flipped(bytes, flip)), name);
      t.ok(noticed, `${kind}, ${flip.field}, byte ${flip.offset}: ${noticed}`);
      t.same(wrong, []);
    }
  }
});

t.test('check and restore: an object that was cut, or is a copy under a new name', async (t) => {
  for (const [kind, { name, bytes }] of newest) {
    for (const size of isWhole ? [0, 1, bytes.length - 1, bytes.length + 1] : [bytes.length - 1]) {
      const { noticed, wrong } = await outcomeWith((objects) => objects.set(name, resized(bytes, size)), name);
      t.ok(noticed, `${kind} of ${size} bytes: ${noticed}`);
      t.same(wrong, []);
    }
    const copy = otherNameOf(name);
    if (copy === undefined || (!isWhole && kind.length % 3 !== 0)) continue;
    const { noticed, wrong } = await outcomeWith((objects) => objects.set(copy, bytes), name);
    t.ok(noticed ?? neverRead.has(kindOfObject(name)), `${kind} as ${copy}: ${noticed}`);
    t.same(wrong, []);
  }
});

t.test('check and restore: the newest of its kind replaced by the one before', async (t) => {
  for (const prefix of ['collector/roots/', 'collector/index/', 'collector/lost/', 'writer/snapshots/', 'writer/index/', 'writer/packs/']) {
    const [older, newer] = namesBelow(sample.objects, prefix).slice(-2) as [string, string];
    const { noticed, wrong } = await outcomeWith((objects) => objects.set(newer, objects.get(older)!), newer);
    t.ok(noticed, `${prefix}: ${noticed}`);
    t.same(wrong, []);
  }
});

t.test('check and restore: an object that is gone is missed if anything relies on it', async (t) => {
  /** With the newest root the store is as it was one collection ago, and what that relied on is gone. */
  const missed = {
    format: 'malformed',
    configuration: 'object-missing',
    'key-slot': 'no-key',
    root: 'pack-missing',
    catalogue: 'object-missing',
    'base-index': 'object-missing',
    'session-index': 'object-missing',
    'pack of writer, pack': 'pack-missing',
    'pack of writer, metadata-pack': 'pack-missing',
    'pack of collector, pack': 'pack-missing',
    'pack of collector, metadata-pack': 'pack-missing',
  };
  /** Nothing in the repository says that there was one. Of the keyring the full form is used here, and the sample's last list was made for it alone. */
  const notMissed = [
    'annotation',
    'hold',
    'deletion-mark',
    'checkpoint',
    'damage-report',
    'verification',
    'snapshot',
    'keyring',
    'lost-list',
  ];
  t.same([...Object.keys(missed), ...notMissed].sort(), [...newest.keys()].sort());
  for (const [kind, { name }] of newest) {
    const { noticed, wrong } = await outcomeWith((objects) => objects.delete(name), name);
    t.equal(noticed?.replace(/.*: /, ''), missed[kind as keyof typeof missed], `${kind}: ${noticed}`);
    t.same(wrong, []);
  }
  const lists = namesBelow(sample.objects, 'collector/lost/0000');
  t.match(
    await outcomeWith((objects) => objects.delete(lists.at(-1)!)),
    { noticed: 'check: object-missing' },
    'a list that the root refers to',
  );
});
