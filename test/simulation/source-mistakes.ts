/**
 * Mistakes that are put into the engine's own code: while a process loads it, a few lines are replaced by wrong ones. Nothing here imports the engine, so that
 * {@link putIntoCode} can run before it is loaded. A line that is not there (any more) is an error: then the mistake must be written anew for the code as it is now.
 */
import { registerHooks } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Edit {
  /** In the project. */
  readonly file: string;
  readonly right: string;
  readonly wrong: string;
}

export interface SourceMistake {
  readonly name: string;
  readonly words: string;
  readonly edits: readonly Edit[];
  /** What finds it: so many seeds of the simulation, a schedule (schedules.ts), or an incident (test/reliability/_incidents.ts). */
  readonly foundBy: { readonly seeds: number } | { readonly schedule: string } | { readonly incident: string };
}

const project = path.join(import.meta.dirname, '../..');
const collection = 'engine/maintain/_collection.ts';
const deletion = 'engine/maintain/_deletion.ts';
const survey = 'engine/maintain/_survey.ts';
const maintain = 'engine/maintain/maintain.ts';
const sessions = 'engine/repository/sessions.ts';
const snapshots = 'engine/repository/snapshots.ts';

/** Of the model (spec/model/README.md), by its names. */
export const modelMistakes: readonly SourceMistake[] = [
  {
    name: 'nameReuse',
    words: 'a writer uses a pack name that was used before',
    edits: [
      {
        file: 'engine/packs/pack-writer.ts',
        right: '  const id = randomBytes(16);\n',
        wrong: '  const id = Buffer.alloc(16);\n  id[15] = (globalThis.packsNamed = (globalThis.packsNamed ?? 0) + 1) % 7;\n',
      },
    ],
    foundBy: { schedule: 'names of packs' },
  },
  {
    name: 'noCatalogue',
    words: 'every commit that is there counts',
    edits: [{ file: snapshots, right: "  if (generation >= root.floor || catalogued) return 'valid';", wrong: "  return 'valid';" }],
    foundBy: { incident: 'restic 2715' },
  },
  {
    name: 'staleIndex',
    words: 'no second reading of the root after the index was listed',
    edits: [
      {
        file: sessions,
        right: 'return readUnderRoot(repository, begin, { sameView, signal });',
        wrong: 'return readUnderRoot(repository, begin, { sameView: () => true, signal });',
      },
    ],
    foundBy: { schedule: 'a table that lands after the collector looked' },
  },
  {
    name: 'pendingTables',
    words: 'while the root fences, writers rely on tables from below floor and do not list their packs again',
    edits: [
      {
        file: 'engine/backup/_session-tables.ts',
        right: 'if (pending.length === 0 || dryRun) names.push(...pending);',
        wrong: 'if (true) names.push(...pending);',
      },
    ],
    foundBy: { schedule: 'a table that lands while the collector decides' },
  },
  {
    name: 'indexBeforeCommits',
    words: 'index tables are listed before commits',
    edits: [
      {
        file: survey,
        right: '  const standing = new Map<SnapshotId, StandingSnapshot>();\n',
        wrong:
          '  const early = await listIndexTables(repository, root, { signal });\n  const standing = new Map<SnapshotId, StandingSnapshot>();\n',
      },
      {
        file: survey,
        right: '(await listIndexTables(repository, root, { signal })).filter(',
        wrong: 'early.filter(',
      },
    ],
    foundBy: { schedule: 'a backup that commits while the collector lists' },
  },
  {
    name: 'orphansLate',
    words: 'packs that no index lists are doomed by a listing made after A',
    edits: [
      {
        file: collection,
        right: '  const doomed = new Set([...doomedBefore!, ...unneeded]);\n',
        wrong: `  const indexed = new Set();
  for (const { name } of tables) for (const { id } of (await (await import('../index/mod.ts')).openTable(repository.storage, { name, keys: repository.keys, memory: undefined })).packs) indexed.add(id);
  for await (const { name } of repository.storage.list('writer/packs/')) {
    const id = name.slice(name.lastIndexOf('/') + 1);
    if (!needed.has(id) && !indexed.has(id)) unneeded.push(id);
  }
  const doomed = new Set([...doomedBefore!, ...unneeded]);
`,
      },
    ],
    foundBy: { schedule: 'a collection beside a backup that began within it' },
  },
  {
    name: 'holdsIgnored',
    words: 'what is marked is dropped although it is held',
    edits: [
      {
        file: 'engine/repository/owner-records.ts',
        right: '  const held = heldSnapshots(holds, at);\n  return new Set(marks',
        wrong: '  const held = new Map();\n  return new Set(marks',
      },
    ],
    foundBy: { schedule: 'a hold at any moment of a collection' },
  },
  {
    name: 'eagerHold',
    words: 'a hold is confirmed while the root fences',
    edits: [
      {
        file: 'engine/repository/hold-and-mark.ts',
        right: "root.phase === 'fencing' && standing.has(id) && standing.get(id)! < root.floor;",
        wrong: 'false;',
      },
    ],
    foundBy: { schedule: 'a hold at any moment of a collection' },
  },
  {
    name: 'staleMarks',
    words: 'marks and holds are read before the root that fences',
    edits: [
      {
        file: survey,
        right: '  const snapshots = [...standing.values()].filter(({ id }) => !droppable.has(id));\n',
        wrong: `  globalThis.marksOf ??= new WeakMap();
  if (!globalThis.marksOf.has(repository)) globalThis.marksOf.set(repository, new Set(droppable));
  droppable.clear();
  for (const id of globalThis.marksOf.get(repository)) droppable.add(id);
  const snapshots = [...standing.values()].filter(({ id }) => !droppable.has(id));
`,
      },
    ],
    foundBy: { schedule: 'a hold at any moment of a collection' },
  },
  {
    name: 'readerOnce',
    words: 'a reader does not read the root again after its listing',
    edits: [
      {
        file: snapshots,
        right: 'await readUnderRoot(repository, read, { sameView: sameSnapshots, signal });',
        wrong: 'await readUnderRoot(repository, read, { sameView: () => true, signal });',
      },
    ],
    foundBy: { schedule: 'a reader across five collections' },
  },
  {
    name: 'pendingDeleted',
    words: 'commits are deleted below floor while the root fences',
    edits: [deletingWhileFencing('writer/snapshots/')],
    foundBy: { schedule: 'a collection beside a backup' },
  },
  {
    name: 'tablesEarly',
    words: 'index tables are deleted below floor while the root fences',
    edits: [deletingWhileFencing('writer/index/')],
    foundBy: { schedule: 'a collection beside a backup' },
  },
  {
    name: 'checkpointsIgnored',
    words: 'checkpoints do not keep their packs',
    edits: [
      {
        file: survey,
        right: 'const { kept, ended } = await marks.addCheckpoints(unfinished, root);',
        wrong: 'const { kept, ended } = { kept: [], ended: unfinished };',
      },
    ],
    foundBy: { schedule: 'collections after a backup that died' },
  },
  {
    name: 'supersededByInvalid',
    words: 'a commit that does not stand supersedes the checkpoint of its session',
    edits: [
      {
        file: deletion,
        right: "if (parsed?.type === 'snapshot' && parsed.generation >= this.#root.floor) committed.add(parsed.session);",
        wrong: "if (parsed?.type === 'snapshot') { committed.add(parsed.session); kept.clear(); }",
      },
    ],
    foundBy: { schedule: 'a commit that lands too late' },
  },
  {
    name: 'indexedOnly',
    words: 'packs that no index lists are never condemned',
    edits: [
      {
        file: maintain,
        right: '    return { survey: found, census, packs: condemnable(census, found)',
        wrong: `    const { openTable } = await import('../index/mod.ts');
    globalThis.packsListed = new Set();
    const names = found.tables.map(({ name }) => name);
    for await (const { name } of this.#repository.storage.list('collector/index/')) names.push(name);
    for (const name of names)
      for (const { id } of (await openTable(this.#repository.storage, { name, keys: this.#repository.keys, memory: undefined })).packs) globalThis.packsListed.add(id);
    return { survey: found, census, packs: condemnable(census, found)`,
      },
      { file: collection, right: 'if (!needed.has(pack) && ', wrong: 'if (globalThis.packsListed.has(pack) && !needed.has(pack) && ' },
    ],
    foundBy: { schedule: 'litter of dead backups' },
  },
  {
    name: 'replacedBlindly',
    words: 'a pack that was repacked is doomed whatever snapshots need of it',
    edits: [
      {
        file: collection,
        right: 'condemned!.filter((pack) => !needed.has(pack));',
        wrong: 'condemned!.filter((pack) => !needed.has(pack) || base.replaced.has(pack));',
      },
    ],
    foundBy: { schedule: 'a snapshot that is brought back while its packs are replaced' },
  },
  {
    name: 'replacedDropped',
    words: 'an entry of `replaced` goes when the pack is gone',
    edits: [
      {
        file: 'engine/maintain/_replacements.ts',
        right: 'if (isListed(pack) && !rescued.has(pack))',
        wrong: 'if (isListed(pack) && !rescued.has(pack) && !doomed.has(pack))',
      },
    ],
    foundBy: { schedule: 'packs that are replaced' },
  },
  {
    name: 'copyUnlisted',
    words: 'the copy is not in the base index when the old pack is condemned',
    edits: [
      {
        file: 'engine/maintain/_repack.ts',
        right: 'return storeBaseIndex(repository, root, { first, tables, without: new Set(), replaced });',
        wrong: 'return storeBaseIndex(repository, root, { first: [], tables: [], without: new Set(), replaced });',
      },
    ],
    foundBy: { schedule: 'packs that are replaced' },
  },
  {
    name: 'trustParent',
    words: "a writer relies on its parent's packs without finding them in the index",
    edits: [
      {
        file: 'engine/backup/_session.ts',
        right: 'readonly isAlive = (pack: PackId): boolean => this.#alive.has(pack);',
        wrong: 'readonly isAlive = (pack: PackId): boolean => pack.length > 0;',
      },
    ],
    foundBy: { schedule: 'a backup whose parent is dropped' },
  },
  {
    name: 'evidenceIgnored',
    words: 'after a rollback: collects although a commit or table is of a later generation than the root',
    edits: [
      {
        file: 'engine/repository/rollback.ts',
        right: 'line ?? future ?? ',
        wrong: 'line ?? ',
      },
    ],
    foundBy: { schedule: 'a store that was set back' },
  },
  {
    name: 'missingIgnored',
    words: 'after a rollback: collects although packs of the base index are missing',
    edits: [
      {
        file: 'engine/maintain/_rollback.ts',
        right: 'return await packThatIsGone(repository, current, census);',
        wrong: 'return null;',
      },
    ],
    foundBy: { schedule: 'a pack of the index that is gone' },
  },
  {
    name: 'lineIgnored',
    words: 'after a rollback: a commit counts although the root with which its session began is not there any more',
    edits: [
      {
        file: sessions,
        right: 'const { root, isPruned } = await readRootSince(repository, began, { signal });',
        wrong: 'const { root, isPruned } = { root: await readRoot(repository, { signal }), isPruned: false };',
      },
    ],
    foundBy: { schedule: 'a backup while the store is set back' },
  },
  {
    name: 'oldListDeletes',
    words: 'after a rollback: packs are deleted by a list of a root that is not there any more',
    edits: [
      {
        file: deletion,
        right: 'const { root } = await readRootSince(this.#repository, this.#root, { signal });',
        wrong: 'const root = this.#root;',
      },
    ],
    foundBy: { schedule: 'a deleter that slept while the store was set back' },
  },
  {
    name: 'gapAccepted',
    words: 'after a rollback: a root counts although the one before it is missing',
    edits: [
      {
        file: 'engine/repository/rollback.ts',
        right: 'line ?? future ?? ',
        wrong: 'future ?? ',
      },
    ],
    foundBy: { schedule: 'a collector that slept while the store was set back' },
  },
  {
    name: 'forgetEvidence',
    words: 'commits and tables are deleted as soon as the newest root does not need them',
    edits: [
      {
        file: deletion,
        right: 'const lowest = Math.min(root.floor, ...roots.map(lowestGeneration));',
        wrong: 'const lowest = root.floor;',
      },
    ],
    foundBy: { schedule: 'a store that was set back' },
  },
  {
    name: 'lostIgnored',
    words: 'a writer relies on packs that the root calls lost',
    edits: [
      {
        file: sessions,
        right: '[root.condemned, root.doomed, root.lost].map(',
        wrong: '[root.condemned, root.doomed].map(',
      },
    ],
    foundBy: { schedule: 'a lost pack that a table still lists' },
  },
  {
    name: 'reportsIgnored',
    words: 'a writer relies on packs in reports',
    edits: [{ file: sessions, right: '      listReportedPacks(repository, { signal }),\n', wrong: '      new Set(),\n' }],
    foundBy: { incident: 'kopia 3492' },
  },
  {
    name: 'reportsUnchecked',
    words: 'a writer goes on although the root calls other packs lost than before it listed the reports',
    edits: [
      {
        file: sessions,
        right: '    before.phase === after.phase &&\n    before.lost?.id === after.lost?.id;',
        wrong: '    true;',
      },
    ],
    foundBy: { schedule: 'a report that is removed while a backup begins' },
  },
  {
    name: 'trustReports',
    words: 'the root calls lost what is reported, without asking the store',
    edits: [
      {
        file: 'engine/maintain/_losses.ts',
        right: "if (answer === 'sound') sound.add(pack);",
        wrong: "if (answer === 'sound') lost.set(pack, null);",
      },
    ],
    foundBy: { schedule: 'a wrong report' },
  },
  {
    name: 'failureSettles',
    words: 'a report goes although the request that was to confirm it failed, and what has its chunks is not kept',
    edits: [
      {
        file: 'engine/maintain/_losses.ts',
        right: "else if (answer === 'unknown') unknown.add(pack);",
        wrong: "else if (answer === 'unknown') sound.add(pack);",
      },
    ],
    foundBy: { schedule: 'a store that does not answer for a pack' },
  },
  {
    name: 'lostForgotten',
    words: 'a pack is not named, and its report goes, once its chunks are elsewhere: a table that lists it may still count',
    edits: [
      {
        file: 'engine/maintain/_lost-list.ts',
        right: '    if (losses.before.has(pack) || ',
        wrong: '    if (losses.before.has(pack) || chunks.length === 0 || ',
      },
      {
        file: deletion,
        right: 'named.has(pack) || losses.sound.has(pack);',
        wrong: 'named.has(pack) || losses.sound.has(pack) || losses.lost.has(pack);',
      },
    ],
    foundBy: { schedule: 'a lost pack that a table still lists, and that is back' },
  },
  {
    name: 'backUnmarked',
    words: 'packs that have chunks of lost packs are kept only by the snapshots that list them',
    edits: [
      { file: 'engine/maintain/_replacements.ts', right: '...(before.get(pack) ?? []), ...by]', wrong: '...(before.get(pack) ?? [])]' },
    ],
    foundBy: { incident: 'kopia 3492' },
  },
  {
    name: 'lostUnadopted',
    words: 'chunks of lost packs are looked for only in packs that the index lists, though the store was set back',
    edits: [
      {
        file: 'engine/maintain/_returned-chunks.ts',
        right: 'if (this.#holders.size < this.#names.length) await this.#findUnlisted(partly);',
        wrong: 'void partly;',
      },
    ],
    foundBy: { schedule: 'a store that was set back, where a missing pack is reported' },
  },
];

/** Mistakes of the model that the engine has no place for, and why. */
export const notInEngine: Readonly<Record<string, string>> = {
  takeOverBlindly: 'a writer takes over no packs that no table lists: begun anew, it goes on from the tables of its last checkpoint',
  pruneUnconfirmed: 'it does harm only to a writer that takes packs over',
  reportsEarly:
    'a collection condemns what a listing showed that it made before it reads the reports; the harm that is left takes two copies of a chunk, of which a backup finds the condemned one at one certain moment',
  staleReader:
    'a reader asks the newest tables for the chunk by its name, too; readers and restores whose packs are replaced twice: test/engine/maintain/repack-interrupted.test.ts',
};

/** What an engine without a protection against an incident would do. */
export const incidentMistakes: readonly SourceMistake[] = [
  {
    name: 'kopia 1949',
    words: 'packs are doomed by what was needed when they were condemned',
    edits: [
      {
        file: collection,
        right: 'condemned!.filter((pack) => !needed.has(pack));',
        wrong: '[...condemned!];',
      },
    ],
    foundBy: { incident: 'kopia 1949' },
  },
  {
    name: 'rustic, parallel prune',
    words: 'a collector replaces the root, whoever else has',
    edits: [
      {
        file: 'engine/repository/collector.ts',
        right: "  await repository.storage.create(name, [seal(context, name, { kind: 'root'",
        wrong: "  await repository.storage.delete([name]);\n  await repository.storage.create(name, [seal(context, name, { kind: 'root'",
      },
    ],
    foundBy: { incident: 'rustic, parallel prune' },
  },
  {
    name: 'restic 2715',
    words: 'a backup does not ask whether a collection has passed it',
    edits: [{ file: sessions, right: "  if (standing === 'valid') return;\n", wrong: '  if (standing.length > 0) return;\n' }],
    foundBy: { incident: 'restic 2715' },
  },
  {
    name: 'restic 2715, longer',
    words: 'the same, across ten collections',
    edits: [{ file: sessions, right: "  if (standing === 'valid') return;\n", wrong: '  if (standing.length > 0) return;\n' }],
    foundBy: { incident: 'restic 2715, longer' },
  },
  {
    name: 'PBS PSA-2025-00019-1',
    words: 'snapshots are listed once, before anything is condemned',
    edits: [
      {
        file: maintain,
        right: '    const found = await this.#survey(root, { below: root.floor, lost });\n',
        wrong: '    const found = { ...(this.#plan?.survey ?? (await this.#survey(root, { below: root.floor, lost }))), root };\n',
      },
    ],
    foundBy: { incident: 'PBS PSA-2025-00019-1' },
  },
  {
    name: 'restic 4612',
    words: 'a listing of snapshots that fails is taken for its end',
    edits: [
      {
        file: snapshots,
        right:
          'for await (const { name } of repository.storage.list(prefix, { after: generationFolder(prefix, lowestGeneration(root)), signal })) {',
        wrong: `const quiet = async function* () {
    try {
      yield* repository.storage.list(prefix, { after: generationFolder(prefix, lowestGeneration(root)), signal });
    } catch {}
  };
  for await (const { name } of quiet()) {`,
      },
    ],
    foundBy: { incident: 'restic 4612' },
  },
  {
    name: 'kopia 4455',
    words: 'an object is written under its own name',
    edits: [
      {
        file: 'engine/storage/_local-folder-writer.ts',
        right: 'this.#temporaryPath = path.join(folder, newTemporaryName());',
        wrong:
          'context.makeFolders(path.dirname(path.join(context.root, name)), 0o700);\n    this.#temporaryPath = path.join(context.root, name);\n    void newTemporaryName;',
      },
    ],
    foundBy: { incident: 'kopia 4455' },
  },
  {
    name: 'kopia 4769',
    words: 'a catalogue has only what was committed since the one before',
    edits: [{ file: survey, right: ', ...(await readCatalogue(repository, root, { signal }))]', wrong: ']' }],
    foundBy: { incident: 'kopia 4769' },
  },
];

export const sourceMistakes: readonly SourceMistake[] = [...modelMistakes, ...incidentMistakes];

/** The lines that a mistake replaces are not in the code any more. */
export class NotThere extends Error {}

/** Has the mistake in all code that this process loads from now on. */
export function putIntoCode({ name, edits }: SourceMistake): void {
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      const file = url.startsWith('file:') ? path.relative(project, fileURLToPath(url)) : '';
      const here = edits.filter((edit) => edit.file === file);
      if (here.length === 0) return loaded;
      return { ...loaded, source: here.reduce((source, edit) => edited(source, { edit, name }), String(loaded.source)) };
    },
  });
}

function edited(source: string, { edit: { file, right, wrong }, name }: { edit: Edit; name: string }): string {
  const parts = source.split(right);
  if (parts.length !== 2) throw new NotThere(`mistake ${name}: ${file} has ${parts.length - 1} times what is to be replaced:\n${right}`);
  return parts.join(wrong);
}

function deletingWhileFencing(prefix: string): Edit {
  return {
    file: maintain,
    right: '    const found = await this.#survey(root, { below: root.floor, lost });\n',
    wrong: `    const names: string[] = [];
    for await (const { name } of this.#repository.storage.list('${prefix}')) if (Number.parseInt(name.split('/')[2], 16) < root.floor) names.push(name);
    await this.#repository.storage.delete(names);
    const found = await this.#survey(root, { below: root.floor, lost });
`,
  };
}
