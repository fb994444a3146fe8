/** The last root that this machine has seen: the only witness where a store was set back as a whole. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { maintain, recover } from '../../../engine/maintain/mod.ts';
import { beginSession, readRoot, rememberNewestRoot, replaceRoot, withSeenRoot } from '../../../engine/repository/mod.ts';
import { copyOf, expectContents, files, forget, type History, newHistory, snapshotOf } from '../maintain/_fixture.ts';

/** The same place, with the objects of `from`: a store that was set back, or went another way. */
async function becomes(history: History, from: History): Promise<History> {
  const { storage } = history.repository;
  const listed = async ({ repository }: History) => {
    const names: string[] = [];
    for await (const { name } of repository.storage.list('')) names.push(name);
    return names;
  };
  await storage.delete(await listed(history));
  for (const name of await listed(from)) await storage.create(name, [await from.repository.storage.get(name)]);
  return { ...history, expected: from.expected, repository: { ...from.repository, storage } };
}

async function opened({ repository }: History, folder: string) {
  const root = await readRoot(repository);
  return withSeenRoot({ ...repository, root }, { folder });
}

async function maintainedTwice(t: Test): Promise<{ history: History; early: History; folder: string }> {
  const history = await newHistory(t);
  const folder = t.testdir();
  const lost = await snapshotOf(history, files('a', 1));
  const early = await copyOf(history);
  await forget(history, lost);
  await snapshotOf(history, files('b', 1));
  await maintain(history.repository);
  return { history, early, folder };
}

t.test(
  'withSeenRoot: a store that was set back as a whole is noticed: nothing is collected, and recovering goes above all that was',
  async (t) => {
    const { history, early, folder } = await maintainedTwice(t);
    t.match(await opened(history, folder), { warnings: [], seenRoot: undefined });
    await rememberNewestRoot(history.repository, { folder });
    const { number } = await readRoot(history.repository);
    const back = await becomes(history, early);
    const repository = await opened(back, folder);
    t.match(repository, { seenRoot: { number }, warnings: [{ code: 'rolled-back', message: /was seen from this machine before/ }] });
    await t.rejects(maintain(repository), { code: 'rolled-back' });
    await t.rejects(beginSession(repository), { code: 'rolled-back' });
    t.match(await recover(repository, { dryRun: true }), { outcome: 'dry-run', evidence: /root 3 was seen/ });
    const { newRoot } = await recover(repository);
    t.ok(newRoot!.number > number + 2 ** 19);
    const after = await opened(back, folder);
    t.match(after, { warnings: [], seenRoot: undefined });
    await maintain(after);
    await expectContents(t, { ...back, repository: after });
  },
);

t.test(
  'withSeenRoot: a store that went another way is noticed, as long as the root is there; and what cannot be read is not remembered',
  async (t) => {
    const { history, early, folder } = await maintainedTwice(t);
    await opened(history, folder);
    for (let count = 0; count < 4; count++) await replaceRoot(early.repository, await readRoot(early.repository), {});
    const other = await becomes(history, early);
    t.match(await opened(other, folder), { warnings: [{ message: /another one than was seen/ }] });
    const [file] = readdirSync(join(folder, 'roots'));
    writeFileSync(join(folder, 'roots', file!), 'nonsense');
    t.match(await opened(other, folder), { warnings: [] });
  },
);
