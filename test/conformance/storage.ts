/**
 * What every Storage must do, as tests: the comments of engine/storage/storage.ts, sentence by sentence. Each implementation's test runs it.
 */
import { randomBytes } from 'node:crypto';
import type { Test } from 'tap';
import { openStorage, type Storage } from '../../engine/storage/mod.ts';

export interface ConformanceOptions {
  /** An empty, prepared place, new for each call. */
  readonly makeStorage: (t: Test) => Promise<Storage>;
}

export function storageConformance(t: Test, { makeStorage }: ConformanceOptions): void {
  const withStorage = (name: string, body: (t: Test, storage: Storage) => Promise<void>) =>
    t.test(name, async (t) => {
      const storage = await makeStorage(t);
      await body(t, storage);
      await storage.close();
    });
  for (const group of [getTests, createTests, writerTests, listTests, otherTests]) group(withStorage);
}

type WithStorage = (name: string, body: (t: Test, storage: Storage) => Promise<void>) => void;

const name = 'writer/packs/ab/abcdef';
const bytes = (...values: number[]) => Uint8Array.from(values);

function getTests(withStorage: WithStorage): void {
  withStorage('get gives the whole object, a range, or the end', async (t, storage) => {
    await storage.create(name, [bytes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)]);
    t.same(await storage.get(name), bytes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    t.same(await storage.get(name, { offset: 0, length: 10 }), bytes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    t.same(await storage.get(name, { offset: 3, length: 4 }), bytes(3, 4, 5, 6));
    t.same(await storage.get(name, { offset: 9, length: 1 }), bytes(9));
    t.same(await storage.get(name, { offset: 10, length: 0 }), bytes());
    t.same(await storage.get(name, { last: 3 }), bytes(7, 8, 9));
    t.same(await storage.get(name, { last: 9 }), bytes(1, 2, 3, 4, 5, 6, 7, 8, 9));
    t.same(await storage.get(name, { last: 10 }), bytes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
    t.same(await storage.get(name, { last: 11 }), bytes(0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 'an object that is smaller comes whole');
    t.same(await storage.get(name, { last: 0 }), bytes());
  });

  withStorage('getEnd gives the end and the size of the whole', async (t, storage) => {
    await storage.create(name, [bytes(0, 1, 2, 3, 4)]);
    t.same(await storage.getEnd(name, 2), { bytes: bytes(3, 4), objectSizeBytes: 5 });
    t.same(await storage.getEnd(name, 5), { bytes: bytes(0, 1, 2, 3, 4), objectSizeBytes: 5 });
    t.same(await storage.getEnd(name, 6), { bytes: bytes(0, 1, 2, 3, 4), objectSizeBytes: 5 });
    t.same(await storage.getEnd(name, 0), { bytes: bytes(), objectSizeBytes: 5 });
    t.same(await storage.getEnd(name, 2), { bytes: bytes(3, 4), objectSizeBytes: 5 }, 'and again');
    await storage.create('owner/empty', []);
    t.same(await storage.getEnd('owner/empty', 16), { bytes: bytes(), objectSizeBytes: 0 });
    await t.rejects(storage.getEnd('owner/absent', 1), { code: 'not-found', object: 'owner/absent' });
    await t.rejects(storage.getEnd(name, 5, { limitBytes: 4 }), { code: 'limit-exceeded', object: name });
    await t.rejects(storage.getEnd(name, -1), RangeError);
    await t.rejects(storage.getEnd('../a', 1), TypeError);
  });

  withStorage('get gives a Uint8Array that belongs to the caller', async (t, storage) => {
    await storage.create(name, [bytes(1, 2, 3)]);
    const first = await storage.get(name);
    t.equal(first.constructor, Uint8Array);
    t.equal(first.buffer.byteLength, 3, 'a buffer of its own, that can be transferred');
    first.fill(9);
    t.same(await storage.get(name), bytes(1, 2, 3));
  });

  withStorage('get refuses a range beyond the end with malformed', async (t, storage) => {
    await storage.create(name, [bytes(0, 1, 2, 3)]);
    await t.rejects(storage.get(name, { offset: 0, length: 5 }), { code: 'malformed', object: name, expected: 5, found: 4 });
    await t.rejects(
      storage.get(name, { offset: 5, length: 0 }).then(() => storage.get(name, { offset: 5, length: 1 })),
      { code: 'malformed' },
    );
    await t.rejects(storage.get(name, { offset: 4, length: 1 }), { code: 'malformed' });
    await t.rejects(storage.get(name, { offset: 2 ** 40, length: 2 ** 21 }), { code: 'malformed' });
  });

  withStorage('get reads large objects whole and in ranges', async (t, storage) => {
    const large = new Uint8Array(randomBytes(5 * 1024 * 1024 + 3));
    await storage.create(name, [large]);
    t.equal(Buffer.compare(await storage.get(name), large), 0);
    t.equal(Buffer.compare(await storage.get(name, { offset: 1, length: 3 * 1024 * 1024 }), large.subarray(1, 1 + 3 * 1024 * 1024)), 0);
    t.equal(Buffer.compare(await storage.get(name, { last: 70_000 }), large.subarray(-70_000)), 0);
  });

  withStorage('get puts the bytes where it is told', async (t, storage) => {
    await storage.create(name, [bytes(0, 1, 2, 3)]);
    const target = new Uint8Array(6).fill(7);
    const view = await storage.get(name, { offset: 1, length: 2 }, { into: target });
    t.same(view, bytes(1, 2));
    t.equal(view.buffer, target.buffer);
    t.same(target, bytes(1, 2, 7, 7, 7, 7));
    await t.rejects(storage.get(name, undefined, { into: new Uint8Array(3) }), { code: 'limit-exceeded' });
    t.same(await storage.get(name, undefined, { into: target.subarray(2) }), bytes(0, 1, 2, 3));
  });

  withStorage('get refuses more than the limit before it reads', async (t, storage) => {
    await storage.create(name, [bytes(0, 1, 2, 3)]);
    t.same(await storage.get(name, undefined, { limitBytes: 4 }), bytes(0, 1, 2, 3));
    await t.rejects(storage.get(name, undefined, { limitBytes: 3 }), { code: 'limit-exceeded', object: name, expected: 3, found: 4 });
    await t.rejects(storage.get(name, { offset: 0, length: 4 }, { limitBytes: 3 }), { code: 'limit-exceeded' });
    await t.rejects(storage.get(name, { offset: 0, length: Number.MAX_SAFE_INTEGER }), { code: 'limit-exceeded' });
  });

  withStorage('get and size tell of an object that is not there', async (t, storage) => {
    await storage.create(name, [bytes(1)]);
    for (const absent of ['writer/packs/ab/abcdee', 'writer/packs/ac/abcdef', 'owner/format', `${name}/below`, 'writer/packs']) {
      const code = absent === 'writer/packs' ? /not-found|io/ : 'not-found';
      await t.rejects(storage.get(absent), { code, object: absent });
      await t.rejects(storage.get(absent, { offset: 0, length: 1 }), { code });
      await t.rejects(storage.get(absent, { last: 1 }), { code });
      await t.rejects(storage.size(absent), { code, object: absent });
    }
  });

  withStorage('get refuses arguments that are none', async (t, storage) => {
    for (const bad of [
      '',
      '/',
      'a//b',
      '../a',
      'a/../b',
      './a',
      'a/',
      '/a',
      'A',
      'a b',
      'a\0b',
      'temporary/a',
      'temporary',
      '.a',
      'a/.b',
      'é',
      'x'.repeat(201),
    ]) {
      await t.rejects(storage.get(bad), TypeError, JSON.stringify(bad));
      await t.rejects(storage.create(bad, []), TypeError);
      await t.rejects(storage.createWriter(bad), TypeError);
      await t.rejects(storage.size(bad), TypeError);
      await t.rejects(storage.delete([bad]), TypeError);
    }
    await t.rejects(storage.get(name, { offset: -1, length: 1 }), RangeError);
    await t.rejects(storage.get(name, { offset: 0.5, length: 1 }), RangeError);
    await t.rejects(storage.get(name, { offset: 0, length: Number.NaN }), RangeError);
    await t.rejects(storage.get(name, { last: -1 }), RangeError);
  });
}

function createTests(withStorage: WithStorage): void {
  withStorage('create stores the concatenation of its parts', async (t, storage) => {
    t.equal(await storage.create(name, [bytes(1, 2), bytes(), bytes(3), bytes(4, 5)]), 'created');
    t.same(await storage.get(name), bytes(1, 2, 3, 4, 5));
    t.equal(await storage.size(name), 5);
  });

  withStorage('create stores an object without bytes', async (t, storage) => {
    t.equal(await storage.create('owner/a', []), 'created');
    t.equal(await storage.create('owner/b', [bytes()]), 'created');
    t.same(await storage.get('owner/a'), bytes());
    t.equal(await storage.size('owner/b'), 0);
    t.same(await storage.get('owner/a', { last: 16 }), bytes());
  });

  withStorage('create stores very many parts', async (t, storage) => {
    const parts = Array.from({ length: 3001 }, (_, index) => bytes(index & 255, index >> 8));
    await storage.create(name, parts);
    t.equal(Buffer.compare(await storage.get(name), Buffer.concat(parts)), 0);
  });

  withStorage('create never touches what is there', async (t, storage) => {
    t.equal(await storage.create(name, [bytes(1)]), 'created');
    t.equal(await storage.create(name, [bytes(2, 2)]), 'exists');
    t.same(await storage.get(name), bytes(1));
    await storage.delete([name]);
    t.equal(await storage.create(name, [bytes(3)]), 'created', 'a deleted name is free');
  });

  withStorage('create of one name at once: exactly one is told that it created', async (t, storage) => {
    for (let round = 0; round < 10; round++) {
      const target = `collector/roots/${round}`;
      const outcomes = await Promise.all(Array.from({ length: 32 }, (_, index) => storage.create(target, [bytes(index)])));
      t.equal(outcomes.filter((outcome) => outcome === 'created').length, 1);
      t.same(await storage.get(target), bytes(outcomes.indexOf('created')));
    }
  });

  withStorage('the parts of create can be changed afterwards', async (t, storage) => {
    const part = bytes(1, 2, 3);
    await storage.create(name, [part]);
    part.fill(0);
    t.same(await storage.get(name), bytes(1, 2, 3));
  });
}

function writerTests(withStorage: WithStorage): void {
  withStorage('createWriter shows nothing before commit, and all of it after', async (t, storage) => {
    const writer = await storage.createWriter(name);
    t.equal(writer.sizeBytes, 0);
    await writer.append([bytes(1, 2), bytes(3)]);
    t.equal(writer.sizeBytes, 3);
    const part = bytes(4);
    await writer.append([part]);
    part.fill(0);
    await writer.append([]);
    await t.rejects(storage.get(name), { code: 'not-found' });
    t.same(await namesOf(storage), []);
    t.equal(await writer.commit(), 'created');
    t.equal(writer.sizeBytes, 4);
    t.same(await storage.get(name), bytes(1, 2, 3, 4));
    t.same(await namesOf(storage), [name]);
  });

  withStorage('createWriter: two of one name, one is told exists', async (t, storage) => {
    const [first, second] = [await storage.createWriter(name), await storage.createWriter(name)];
    await first.append([bytes(1)]);
    await second.append([bytes(2)]);
    t.equal(await second.commit(), 'created');
    t.equal(await first.commit(), 'exists');
    t.same(await storage.get(name), bytes(2));
  });

  withStorage('createWriter: abort leaves nothing behind, and may be called at any time', async (t, storage) => {
    const writer = await storage.createWriter(name);
    await writer.append([bytes(1)]);
    await writer.abort();
    await writer.abort();
    t.same(await namesOf(storage), []);
    await (await storage.createWriter(name)).abort();
    const third = await storage.createWriter(name);
    await third.append([bytes(3)]);
    await third.commit();
    await third.abort();
    t.same(await storage.get(name), bytes(3), 'abort after commit does nothing');
  });

  withStorage('createWriter: a second commit, or an append after the end, is a mistake', async (t, storage) => {
    const writer = await storage.createWriter(name);
    await writer.append([bytes(1)]);
    await writer.commit();
    await t.rejects(async () => writer.commit(), { code: 'ERR_ASSERTION' });
    await t.rejects(async () => writer.append([bytes(2)]), { code: 'ERR_ASSERTION' });
    t.same(await storage.get(name), bytes(1));
  });

  withStorage('createWriter: a commit without bytes', async (t, storage) => {
    t.equal(await (await storage.createWriter(name)).commit(), 'created');
    t.equal(await storage.size(name), 0);
  });

  withStorage('createWriter: an abort during commit waits for its end', async (t, storage) => {
    const writer = await storage.createWriter(name);
    await writer.append([new Uint8Array(3 * 1024 * 1024)]);
    const committed = writer.commit();
    await writer.abort();
    t.equal(await committed, 'created');
    t.equal(await storage.size(name), 3 * 1024 * 1024);
  });

  withStorage('close aborts what is unfinished', async (t, storage) => {
    const writer = await storage.createWriter(name);
    await writer.append([bytes(1)]);
    await storage.close();
    t.same(await namesOf(storage), []);
    await writer.abort();
  });
}

function listTests(withStorage: WithStorage): void {
  withStorage('list gives what begins with the prefix, in ascending order', async (t, storage) => {
    const names = ['a/b', 'a-b/c', 'a.b/c', 'a/b.x', 'a/c/d', 'a/c-d', 'a/c.d', 'a/cc/d', 'ab', 'b/0', 'b/0a', 'b/9', 'b/a/b/c/d/e'].filter(
      (entry) => entry !== 'a/b',
    );
    for (const entry of names.toReversed()) await storage.create(entry, [new Uint8Array(entry.length)]);
    const sorted = names.toSorted();
    t.same(await namesOf(storage), sorted);
    for (const prefix of ['a', 'a/', 'a/c', 'a/c/', 'a/c/d', 'b', 'b/', 'b/0', 'b/a/b', 'c', 'c/', 'a/c/d/', 'a-']) {
      t.same(
        await namesOf(storage, prefix),
        sorted.filter((entry) => entry.startsWith(prefix)),
        prefix,
      );
    }
    for await (const object of storage.list('')) t.equal(object.sizeBytes, object.name.length);
  });

  withStorage('list begins after a name', async (t, storage) => {
    const names = ['i/1/a', 'i/1/b', 'i/2-x', 'i/2/a', 'i/2/b', 'i/3/a', 'j/1'];
    for (const entry of names) await storage.create(entry, []);
    for (const after of ['', 'i', 'i/1', 'i/1/a', 'i/1/b', 'i/1/c', 'i/2', 'i/2-x', 'i/2/', 'i/2/a', 'i/3/a', 'i/4', 'j/1', 'k']) {
      t.same(
        await namesOf(storage, '', after),
        names.filter((entry) => entry > after),
        after,
      );
      t.same(
        await namesOf(storage, 'i/2', after),
        names.filter((entry) => entry.startsWith('i/2') && entry > after),
        after,
      );
    }
  });

  withStorage('list of nothing is empty, and a bad prefix is a TypeError', async (t, storage) => {
    t.same(await namesOf(storage), []);
    t.same(await namesOf(storage, 'writer/packs/'), []);
    for (const bad of ['/', '../', 'a//', '.', 'A', 'temporary/', 'a/./']) await t.rejects(namesOf(storage, bad), TypeError, bad);
  });

  withStorage('list of objects in 256 folders is complete', async (t, storage) => {
    const names = Array.from(
      { length: 300 },
      (_, index) => `writer/packs/${(index % 256).toString(16).padStart(2, '0')}/${index.toString(16).padStart(8, '0')}`,
    );
    for (const entry of names) await storage.create(entry, [bytes(1)]);
    t.same(await namesOf(storage, 'writer/'), names.toSorted());
  });

  withStorage('list goes on while objects are deleted and created', async (t, storage) => {
    const names = Array.from({ length: 50 }, (_, index) => `a/${100 + index}`);
    for (const entry of names) await storage.create(entry, [bytes(1)]);
    const seen: string[] = [];
    for await (const object of storage.list('a/')) {
      if (seen.length === 0) {
        await storage.delete(['a/110', 'a/149']);
        await storage.create('b/1', []);
      }
      seen.push(object.name);
    }
    t.same(
      seen.filter((entry) => entry !== 'a/110' && entry !== 'a/149'),
      names.filter((entry) => entry !== 'a/110' && entry !== 'a/149'),
    );
  });
}

function otherTests(withStorage: WithStorage): void {
  withStorage('delete removes many, and counts absent ones as deleted', async (t, storage) => {
    for (const entry of ['a/1', 'a/2', 'a/3']) await storage.create(entry, []);
    await storage.delete(['a/1', 'a/0', 'b/c/d', 'a/3', 'a/3']);
    t.same(await namesOf(storage), ['a/2']);
    await storage.delete([]);
    await storage.delete(['a/2']);
    t.same(await namesOf(storage), []);
    await t.rejects(storage.get('a/2'), { code: 'not-found' });
  });

  withStorage('state tells empty from occupied', async (t, storage) => {
    t.equal(await storage.state(), 'empty');
    const writer = await storage.createWriter(name);
    await writer.append([bytes(1)]);
    t.equal(await storage.state(), 'empty', 'what is unfinished counts as nothing');
    await writer.commit();
    t.equal(await storage.state(), 'occupied');
    await storage.prepare();
    t.equal(await storage.removeLitter(), 0);
    t.same(await storage.get(name), bytes(1));
  });

  withStorage('every call answers interrupted to a signal that was aborted', async (t, storage) => {
    await storage.create(name, [bytes(1)]);
    const signal = AbortSignal.abort();
    const interrupted = { code: 'interrupted' };
    await t.rejects(storage.get(name, undefined, { signal }), interrupted);
    await t.rejects(storage.size(name, { signal }), interrupted);
    await t.rejects(storage.create('a/b', [], { signal }), interrupted);
    await t.rejects(storage.createWriter('a/b', { signal }), interrupted);
    await t.rejects(storage.delete([name], { signal }), interrupted);
    await t.rejects(storage.state({ signal }), interrupted);
    await t.rejects(storage.prepare({ signal }), interrupted);
    await t.rejects(storage.removeLitter({ signal }), interrupted);
    await t.rejects(async () => storage.list('', { signal })[Symbol.asyncIterator]().next(), interrupted);
    const controller = new AbortController();
    const writer = await storage.createWriter('a/b', { signal: controller.signal });
    await writer.append([bytes(1)]);
    controller.abort();
    await t.rejects(writer.append([bytes(2)]), interrupted);
    t.same(await namesOf(storage), [name]);
  });

  withStorage('describe opens the same place again', async (t, storage) => {
    await storage.create(name, [bytes(1, 2)]);
    const again = openStorage(structuredClone(storage.describe()));
    t.equal(again.location, storage.location);
    t.same(await again.get(name), bytes(1, 2));
    t.equal(await again.create(name, []), 'exists');
    t.same(again.describe(), storage.describe());
    await again.close();
  });
}

async function namesOf(storage: Storage, prefix = '', after?: string): Promise<string[]> {
  const names: string[] = [];
  for await (const object of storage.list(prefix, { after })) names.push(object.name);
  return names;
}
