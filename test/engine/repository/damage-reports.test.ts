import t from 'tap';
import { listDamageReports, listReportedPacks, writeDamageReport } from '../../../engine/repository/mod.ts';
import { type DamageFinding, limits, objectNames, type PackId, parseObjectName } from '../../../repo-format/mod.ts';
import { withFlippedBit } from '../storage/faulty-storage.ts';
import { advanceRoot, created, makeRepository, namesIn, randomId, replaceObject, storePackList } from './sample.ts';

const name = new Uint8Array(32).fill(7);
const finding = (pack: PackId | null, chunks: readonly Uint8Array[] = []): DamageFinding => ({
  object: pack === null ? 'collector/index/00' : objectNames.pack(pack),
  pack,
  chunks,
  kind: pack === null ? 'malformed' : 'pack-missing',
});

t.test('writeDamageReport: what was found is sealed under a name of the writers, and read again', async (t) => {
  const repository = await makeRepository();
  const [gone, hurt] = [randomId<PackId>(), randomId<PackId>()];
  const findings = [finding(gone), finding(hurt, [name]), finding(null)];
  const [id] = await writeDamageReport(repository, findings, { host: 'checker', time: created });
  t.same(await namesIn(repository.storage, 'writer/reports/'), [objectNames.damageReport(id!)]);
  t.equal(parseObjectName(objectNames.damageReport(id!))?.type, 'damage-report');
  t.same(await listDamageReports(repository), [
    { id, name: objectNames.damageReport(id!), value: { host: 'checker', time: created, findings } },
  ]);
  t.same(await listReportedPacks(repository), new Set([gone, hurt]));
});

t.test('writeDamageReport: what is known is not reported again', async (t) => {
  const repository = await makeRepository();
  const [reported, lost, other] = [randomId<PackId>(), randomId<PackId>(), randomId<PackId>()];
  t.equal((await writeDamageReport(repository, [finding(reported)])).length, 1);
  await advanceRoot(repository, { lost: await storePackList(repository, [lost]) });
  t.same(await writeDamageReport(repository, [finding(reported), finding(lost)]), []);
  t.same(await writeDamageReport(repository, []), []);
  await writeDamageReport(repository, [finding(lost), finding(other)]);
  t.same(await listReportedPacks(repository), new Set([reported, other]));
});

t.test('writeDamageReport: more than fits into a report becomes several', async (t) => {
  const repository = await makeRepository();
  const pack = randomId<PackId>();
  const damaged = finding(pack);
  const findings = Array.from({ length: limits.findingsPerReport + 1 }, () => damaged);
  t.equal((await writeDamageReport(repository, findings)).length, 2);
  const sizes = (await listDamageReports(repository)).map(({ value }) => value.findings.length);
  t.same(
    sizes.sort((left, right) => left - right),
    [1, limits.findingsPerReport],
  );
});

t.test('listDamageReports: a damaged one is told of and reports nothing', async (t) => {
  const repository = await makeRepository();
  const [id] = await writeDamageReport(repository, [finding(randomId<PackId>())]);
  const kept = randomId<PackId>();
  await writeDamageReport(repository, [finding(kept)]);
  const object = objectNames.damageReport(id!);
  await replaceObject(repository.storage, object, withFlippedBit(await repository.storage.get(object), 0));
  await t.rejects(listDamageReports(repository), { code: 'malformed', object });
  const damaged: string[] = [];
  t.equal((await listDamageReports(repository, { onDamage: (_, of) => damaged.push(of) })).length, 1);
  t.same(damaged, [object]);
  t.same(await listReportedPacks(repository), new Set([kept]));
});
