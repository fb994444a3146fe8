/** Every system call of a local folder fails once: nothing half-made is ever visible, nothing is left behind that could be removed, and the code is right. */
import fs from 'node:fs';
import path from 'node:path';
import t, { type Test } from 'tap';
import { type FileCalls, systemFileCalls } from '../../../engine/storage/_file-calls.ts';
import { ownIdentity } from '../../../engine/storage/_process-identity.ts';
import { LocalFolder } from '../../../engine/storage/mod.ts';

type CallName = keyof FileCalls;

/** The n-th call that `counts` fails with `errno`. Ends with how many calls there were. */
function failing({ at, errno = 'EIO', counts = () => true }: { at: number; errno?: string; counts?: (call: CallName) => boolean }) {
  const state = { count: 0, failed: undefined as CallName | undefined };
  const wrap =
    (name: CallName) =>
    (...values: unknown[]) => {
      if (counts(name) && ++state.count === at) {
        state.failed = name;
        throw Object.assign(new Error(`${errno}: on purpose`), { code: errno });
      }
      return (systemFileCalls[name] as (...values: unknown[]) => unknown)(...values);
    };
  const calls = Object.fromEntries(Object.keys(systemFileCalls).map((name) => [name, wrap(name as CallName)])) as unknown as FileCalls;
  return { calls, state };
}

const object = new Uint8Array(100_000).map((_, index) => index * 7);
const changes = (call: CallName) => !['close', 'unlink', 'status', 'statusAt', 'read', 'readFolder'].includes(call);

async function useOnce(storage: LocalFolder): Promise<void> {
  await storage.create('owner/a/small', [object.subarray(0, 10), object.subarray(10, 20)]);
  const writer = await storage.createWriter('writer/b/large');
  await writer.append([object.subarray(0, 50_000)]);
  await writer.append([object.subarray(50_000)]);
  await writer.commit();
  for await (const { name } of storage.list('')) await storage.get(name);
  await storage.size('owner/a/small');
  await storage.delete(['owner/a/small']);
  await storage.removeLitter();
}

t.test('LocalFolder: an error at every system call, one after the other', async (t) => {
  let calls = 0;
  for (let at = 1; ; at++) {
    const folder = path.join(t.testdir(), `run-${at}`);
    fs.mkdirSync(folder);
    const { calls: fileCalls, state } = failing({ at });
    const error: unknown = await useOnce(new LocalFolder(folder, { fileCalls })).then(
      () => undefined,
      (error: unknown) => error,
    );
    calls = state.count;
    if (state.failed === undefined) break;
    if (error !== undefined) t.match(error, { code: 'io', errno: 'EIO' }, `call ${at}: ${state.failed}`);
    await expectWholeObjects(t, folder);
    const left = fs.existsSync(path.join(folder, 'temporary')) ? fs.readdirSync(path.join(folder, 'temporary')) : [];
    t.equal(left.length, state.failed === 'unlink' && error === undefined ? 1 : 0, `temporary files after call ${at}: ${state.failed}`);
  }
  t.ok(calls > 40, `${calls} calls were tried`);
});

t.test('LocalFolder: a full disk at every n-th call that needs space', async (t) => {
  for (const errno of ['ENOSPC', 'EDQUOT']) {
    for (let at = 1; ; at++) {
      const folder = path.join(t.testdir(), `${errno}-${at}`);
      fs.mkdirSync(folder);
      const { calls: fileCalls, state } = failing({ at, errno, counts: changes });
      const storage = new LocalFolder(folder, { fileCalls });
      const result = useOnce(storage);
      if (state.failed === undefined) await result.catch(() => undefined);
      if (state.failed === undefined) break;
      await t.rejects(result, { code: 'no-space', errno, hint: /space|quota/ }, `call ${at}: ${state.failed}`);
      await expectWholeObjects(t, folder);
      t.same(fs.existsSync(path.join(folder, 'temporary')) ? fs.readdirSync(path.join(folder, 'temporary')) : [], []);
    }
  }
});

t.test('LocalFolder: what errors of the system mean', async (t) => {
  const meanings = {
    EROFS: 'read-only',
    EACCES: 'forbidden',
    EIO: 'io',
    ENOSPC: 'no-space',
    EDQUOT: 'no-space',
    EMFILE: 'io',
    ESTALE: 'io',
  } as const;
  for (const [errno, code] of Object.entries(meanings)) {
    const { calls: fileCalls } = failing({ at: 1, errno, counts: (call) => call === 'link' });
    await t.rejects(new LocalFolder(t.testdir(), { fileCalls }).create('a/b', []), { code, errno, object: 'a/b' });
  }
  for (const errno of ['EPERM', 'EXDEV', 'ENOTSUP']) {
    const { calls: fileCalls } = failing({ at: 1, errno, counts: (call) => call === 'link' });
    await t.rejects(new LocalFolder(t.testdir(), { fileCalls }).create('a/b', []), { code: 'unsupported', errno, hint: /hard links/ });
  }
});

t.test('LocalFolder: an append that fails leaves nothing visible, and the writer is at its end', async (t) => {
  const folder = t.testdir();
  const { calls: fileCalls } = failing({ at: 2, errno: 'ENOSPC', counts: (call) => call === 'write' });
  const writer = await new LocalFolder(folder, { fileCalls }).createWriter('a/b');
  await writer.append([object]);
  await t.rejects(writer.append([object]), { code: 'no-space', object: 'a/b' });
  t.same(fs.readdirSync(folder, { recursive: true }), ['temporary']);
  await t.rejects(async () => writer.commit(), { code: 'ERR_ASSERTION' });
  await writer.abort();
  t.same(fs.readdirSync(folder, { recursive: true }), ['temporary']);
});

t.test('LocalFolder: writes that take a part of the bytes go on with the rest', async (t) => {
  for (const piece of [1, 7, 99, 100, 101]) {
    const fileCalls: FileCalls = {
      ...systemFileCalls,
      write: (descriptor, parts) => systemFileCalls.write(descriptor, [Buffer.concat(parts).subarray(0, piece)]),
    };
    const storage = new LocalFolder(t.testdir(), { fileCalls });
    const name = `a/${piece}`;
    const parts = [object.subarray(0, 100), object.subarray(100, 100), object.subarray(100, 350)];
    await storage.create(name, parts);
    t.equal(Buffer.compare(await storage.get(name), object.subarray(0, 350)), 0);
  }
});

t.test('LocalFolder: reads that give a part of the bytes go on with the rest', async (t) => {
  const fileCalls: FileCalls = {
    ...systemFileCalls,
    read: (descriptor, target, position) => systemFileCalls.read(descriptor, target.subarray(0, 999), position),
  };
  const storage = new LocalFolder(t.testdir(), { fileCalls });
  await storage.create('a/b', [object]);
  t.equal(Buffer.compare(await storage.get('a/b', { offset: 5, length: 50_000 }), object.subarray(5, 50_005)), 0);
});

t.test('LocalFolder: a temporary file that is shorter than what was written is not stored', async (t) => {
  const fileCalls: FileCalls = {
    ...systemFileCalls,
    write: (descriptor, parts) => {
      systemFileCalls.write(descriptor, [parts[0]!.subarray(1)]);
      return parts[0]!.length;
    },
  };
  const storage = new LocalFolder(t.testdir(), { fileCalls });
  await t.rejects(storage.create('a/b', [object]), { code: 'io', expected: object.length, found: object.length - 1 });
  await t.rejects(storage.get('a/b'), { code: 'not-found' });
});

t.test('LocalFolder: a temporary file that someone deleted is an error', async (t) => {
  const folder = t.testdir();
  const storage = new LocalFolder(folder);
  const writer = await storage.createWriter('a/b');
  await writer.append([object]);
  for (const name of fs.readdirSync(path.join(folder, 'temporary'))) fs.unlinkSync(path.join(folder, 'temporary', name));
  await t.rejects(writer.commit(), { code: 'io', object: 'a/b' });
  await t.rejects(storage.get('a/b'), { code: 'not-found' });
});

t.test('LocalFolder: a link that a file server tells of as existing, although it has just made it, is created', async (t) => {
  let lost = 0;
  const fileCalls: FileCalls = {
    ...systemFileCalls,
    link: (from, to) => {
      systemFileCalls.link(from, to);
      lost++;
      throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
    },
  };
  const storage = new LocalFolder(t.testdir({ a: {} }), { fileCalls });
  t.equal(await storage.create('a/b', [object]), 'created');
  t.equal(lost, 1);
});

t.test('LocalFolder: a file server that cannot sync folders is no error', async (t) => {
  const fileCalls: FileCalls = {
    ...systemFileCalls,
    sync: (descriptor) => {
      if (systemFileCalls.status(descriptor).isDirectory()) throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
    },
  };
  t.equal(await new LocalFolder(t.testdir(), { fileCalls }).create('a/b', [object]), 'created');
});

t.test('LocalFolder: litter that another process removes at the same time is no error', async (t) => {
  const folder = t.testdir({ temporary: {} });
  const { machine, boot, namespace } = ownIdentity();
  const litter = path.join(folder, 'temporary', `${machine}-${boot}-${namespace}-4194304-1-0123456789abcdef`);
  for (const callName of ['readFolder', 'unlink'] as const) {
    fs.writeFileSync(litter, 'x');
    const { calls: fileCalls } = failing({ at: 1, errno: 'ENOENT', counts: (call) => call === callName });
    await t.resolves(new LocalFolder(folder, { fileCalls }).removeLitter());
  }
  t.equal(await new LocalFolder(folder).removeLitter(), 1);
  const { calls: fileCalls } = failing({ at: 1, errno: 'EACCES', counts: (call) => call === 'unlink' });
  fs.writeFileSync(litter, 'x');
  await t.rejects(new LocalFolder(folder, { fileCalls }).removeLitter(), { code: 'forbidden' });
});

t.test('LocalFolder: an object is durable before it has its name, and its name before it is acknowledged', async (t) => {
  for (const sizeBytes of [10, 2 * 1024 * 1024]) {
    const order: string[] = [];
    const fileCalls: FileCalls = {
      ...systemFileCalls,
      makeFolder: (folder, mode) => {
        systemFileCalls.makeFolder(folder, mode);
        order.push(`make ${path.basename(folder)}`);
      },
      write: (descriptor, parts) => {
        order.push('write');
        return systemFileCalls.write(descriptor, parts);
      },
      sync: (descriptor) => order.push(`sync ${path.basename(fs.readlinkSync(`/proc/self/fd/${descriptor}`)).slice(0, 10)}`),
      syncInPool: async () => {
        order.push('sync in pool');
      },
      link: (from, to) => {
        systemFileCalls.link(from, to);
        order.push(`link ${path.basename(to)}`);
      },
    };
    const folder = path.join(t.testdir(), `repository-${sizeBytes}`);
    fs.mkdirSync(folder);
    await new LocalFolder(folder, { fileCalls }).create('a/b/object', [new Uint8Array(sizeBytes)]);
    const fileSync = order[3]!;
    t.match(fileSync, sizeBytes > 1024 * 1024 ? /^sync in pool$/ : /^sync [0-9a-f]{8}-/);
    const parent = `sync ${path.basename(folder).slice(0, 10)}`;
    t.same(order, ['make temporary', parent, 'write', fileSync, 'make a', parent, 'make b', 'sync a', 'link object', 'sync b']);
  }
});

/** Objects are there whole or not at all. */
async function expectWholeObjects(t: Test, folder: string): Promise<void> {
  const storage = new LocalFolder(folder);
  for await (const { name, sizeBytes } of storage.list('')) {
    const expected = name === 'owner/a/small' ? object.subarray(0, 20) : object;
    t.equal(sizeBytes, expected.length, name);
    t.equal(Buffer.compare(await storage.get(name), expected), 0, name);
  }
}
