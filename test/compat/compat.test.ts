/** The repositories that released versions have written are read for ever. See README.md beside this file. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t, { type Test } from 'tap';
import {
  backup,
  check,
  forgetSnapshots,
  listSnapshots,
  maintain,
  openRepository,
  openStorage,
  type Repository,
  restore,
  type Secret,
} from '../../engine/mod.ts';
import { scratchFolder } from '../cli/cli.ts';
import { codesOf, type DescribedSnapshot, describeSnapshot, type Manifest } from './describe.ts';
import { secrets } from './secrets.ts';

const limitBytes = 300_000;
const fixtures = readdirSync(import.meta.dirname).filter((name) => existsSync(join(import.meta.dirname, name, 'manifest.json.gz')));

t.ok(fixtures.length > 0, 'there are repositories to read');

for (const fixture of fixtures) {
  const folder = join(import.meta.dirname, fixture);
  const manifest = JSON.parse(gunzipSync(readFileSync(join(folder, 'manifest.json.gz'))).toString()) as Manifest;

  t.test(`${fixture}: it is small`, async (t) => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    const sizeBytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
    t.ok(sizeBytes < limitBytes, `${sizeBytes} bytes`);
  });

  for (const [title, secret] of Object.entries(secrets)) {
    t.test(`${fixture}: opened by the ${title}, every snapshot is as its manifest says`, async (t) => {
      const isFull = title !== 'metadata only';
      const repository = await opened(t, folder, { secret, mode: isFull ? 'read' : 'metadata' });
      t.equal(repository.id, manifest.repository);
      t.same(repository.warnings, []);
      const snapshots = await listSnapshots(repository, { includeDeleted: true });
      // All is compared with one of the keys that open everything; with the others what shows that they do.
      const contents = title === 'key file' ? 'read' : 'out';
      const described: DescribedSnapshot[] = [];
      for (const info of snapshots) described.push(await describeSnapshot(repository, info, { contents }));
      t.strictSame(described, contents === 'read' ? manifest.snapshots : withoutContents(manifest.snapshots));
    });
  }

  t.test(`${fixture}: check finds what is lost and nothing else, all data read`, async (t) => {
    const repository = await opened(t, folder, { secret: secrets['key file'], mode: 'read' });
    const { errors } = await check(repository, { readData: true });
    t.same(codesOf(errors), manifest.damage);
  });

  t.test(`${fixture}: each snapshot restores, to the bytes of its manifest`, async (t) => {
    const repository = await opened(t, folder, { secret: secrets.password, mode: 'read' });
    for (const info of await listSnapshots(repository, { includeDeleted: true })) {
      const target = join(scratchFolder(t), 'restored');
      const { errors } = await restore(repository, info, { target });
      const { entries } = manifest.snapshots.find(({ id }) => id === info.id)!;
      const lost = entries.filter(({ content }) => content === null);
      t.same(process.geteuid!() === 0 ? codesOf(errors) : [], process.geteuid!() === 0 ? lost.map(() => 'pack-missing') : []);
      const wrong = entries.filter(({ path, content }) => {
        if (!content) return false;
        const file = Buffer.concat([Buffer.from(target), Buffer.from(path, 'base64')]);
        return createHash('sha256').update(readFileSync(file)).digest('hex') !== content.sha256;
      });
      t.same(wrong, []);
    }
  });

  t.test(`${fixture}: it is gone on with: backed up into, forgotten in, maintained`, async (t) => {
    const copy = join(scratchFolder(t), 'copy');
    cpSync(join(folder, 'repository'), copy, { recursive: true });
    const storage = openStorage(copy);
    t.teardown(() => storage.close());
    const repository = await openRepository(storage, { secret: secrets.password, mode: 'write' });
    const { snapshotId } = await backup(repository, { paths: [import.meta.dirname], workers: 1 });
    const before = await listSnapshots(repository);
    const unheld = before.filter(({ id }) => id !== snapshotId && !manifest.snapshots.find((one) => one.id === id)!.held);
    const now = { seconds: Math.floor(Date.now() / 1000), nanoseconds: 0 };
    await forgetSnapshots(
      repository,
      unheld.map(({ id }) => id),
      { now, reason: 'test' },
    );
    t.equal((await maintain(repository, { maxUnused: 0 })).outcome, 'collected');
    const kept = await listSnapshots(repository);
    t.same(kept.map(({ id }) => id).sort(), [...manifest.snapshots.filter(({ held }) => held).map(({ id }) => id), snapshotId].sort());
    for (const info of kept.filter(({ id }) => id !== snapshotId))
      t.strictSame(
        await describeSnapshot(repository, info),
        manifest.snapshots.find(({ id }) => id === info.id),
      );
    t.same((await check(repository, { readData: true })).errors, []);
  });
}

/** The repository itself, in a copy: even opening to read may leave something in a store. */
async function opened(t: Test, folder: string, options: { secret: Secret; mode: 'read' | 'metadata' }): Promise<Repository> {
  const copy = join(scratchFolder(t), 'copy');
  cpSync(join(folder, 'repository'), copy, { recursive: true });
  const storage = openStorage(copy);
  t.teardown(() => storage.close());
  return openRepository(storage, options);
}

function withoutContents(snapshots: readonly DescribedSnapshot[]): DescribedSnapshot[] {
  return snapshots.map((snapshot) => ({ ...snapshot, entries: snapshot.entries.map(({ content: _, ...entry }) => entry) }));
}
