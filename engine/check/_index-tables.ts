/** Index tables: every segment opens, rows are in order, and their packs are in the store. */
import {
  checkRows,
  decodeIndexContents,
  decodePackRows,
  type IndexContents,
  type IndexSegments,
  indexRowLayout,
  indexSegments,
  NAME_SIZE_BYTES,
  objectNames,
  type PackId,
  type PackRow,
  packOrdinalAt,
  type SegmentRun,
  sealedLayout,
  segmentAt,
  segmentCount,
} from '../../repo-format/mod.ts';
import { openSegmentedObject, type SegmentedObject } from '../objects/mod.ts';
import { listIndexTables, type Repository } from '../repository/mod.ts';
import type { ChunkSet } from './_chunk-set.ts';
import type { Findings } from './_findings.ts';
import type { KnownPacks } from './_known-packs.ts';
import { contentsOffsetOf, wrongLengthField } from './_pack-verifier.ts';
import { type NumberedSegment, SegmentReader } from './_segments.ts';
import { TableCopies } from './_table-copies.ts';

/** A table whose head is good. */
export interface OpenTable {
  readonly object: SegmentedObject;
  readonly contents: IndexContents;
  readonly segments: IndexSegments;
  readonly packs: readonly PackRow[];
  /** Packs whose rows do not count. */
  readonly leftOut: ReadonlySet<PackId>;
}

/** Opens all index tables that count. Of a table that cannot be opened only the finding remains. */
export async function openTables(
  repository: Repository,
  { findings, packs, signal }: { findings: Findings; packs: KnownPacks; signal: AbortSignal | undefined },
): Promise<{ tables: OpenTable[]; damaged: number }> {
  const { root } = repository;
  const tables: OpenTable[] = [];
  let damaged = 0;
  const open = async (name: string, leftOut: ReadonlySet<PackId> = new Set()): Promise<OpenTable | undefined> => {
    try {
      const table = { ...(await openTable(repository, { name, findings, signal })), leftOut };
      tables.push(table);
      for (const row of table.packs) if (!leftOut.has(row.id)) packs.get(row.id).indexed = row;
      return table;
    } catch (error) {
      findings.addError(error, { object: name });
      findings.complete = false;
      damaged++;
      return undefined;
    }
  };
  for (const { name } of await listIndexTables(repository, root, { signal })) await open(name);
  if (root.baseIndex !== null) {
    const newest = await open(objectNames.baseIndex(root.baseIndex.id));
    for (const { pack, by } of newest?.contents.replaced ?? []) packs.get(pack).replacedBy = by.map((id) => packs.get(id));
    const leftOut = new Set(newest?.contents.leftOut);
    for (const { id } of newest?.contents.older ?? []) await open(objectNames.baseIndex(id), leftOut);
  }
  return { tables, damaged };
}

/** Opens every segment of a table once. */
export async function checkTable(
  repository: Repository,
  table: OpenTable,
  { findings, signal }: { findings: Findings; signal: AbortSignal | undefined },
): Promise<void> {
  const { name } = table.object;
  const reader = new SegmentReader(repository.storage);
  const { packs, pages, filter, sample } = table.segments;
  const segments = [packs, pages, filter, sample].flatMap(segmentsOf);
  const copies = new TableCopies(table.contents);
  const expectCopy = async (part: 'filter' | 'sample', index: number, segment: Uint8Array) => {
    if (await copies.agrees(part, index, segment)) return;
    findings.add({ code: 'malformed', message: `${name}: the ${part} is not that of its rows: chunks would not be found`, object: name });
  };
  for await (const { segment, plaintext, error } of reader.read(table.object, segments, signal)) {
    const { number } = segment;
    const isPage = number >= pages.firstNumber && number < filter.firstNumber;
    if (error !== undefined) findings.addError(error, { object: name });
    if (isPage) {
      const isGood = error === undefined && checkPage(table, { page: number - pages.firstNumber, plaintext, findings });
      await copies.addPage(isGood ? plaintext : undefined);
    } else if (error !== undefined || number < pages.firstNumber) continue;
    else if (number < sample.firstNumber) await expectCopy('filter', number - filter.firstNumber, plaintext);
    else {
      const index = number - sample.firstNumber;
      if (checkPageRows(plaintext, { table, findings, expect: { rows: segmentAt(sample, index).items } }))
        await expectCopy('sample', index, plaintext);
    }
  }
}

/** Puts the rows of a table's pages into `chunks`, those for which `takes` is true. Pages that do not open are left out: {@link checkTable} told of them. */
export async function addRows(
  repository: Repository,
  table: OpenTable,
  {
    chunks,
    packs,
    takes,
    signal,
  }: { chunks: ChunkSet; packs: KnownPacks; takes: (names: Uint8Array, offset: number) => boolean; signal: AbortSignal | undefined },
): Promise<void> {
  const reader = new SegmentReader(repository.storage);
  const known = table.packs.map(({ id }) => (table.leftOut.has(id) ? undefined : packs.get(id)));
  for await (const { plaintext } of reader.read(table.object, segmentsOf(table.segments.pages), signal)) {
    if (plaintext === undefined) continue;
    for (let row = 0, offset = 0; offset < plaintext.length; row++, offset += indexRowLayout.sizeBytes) {
      const pack = known[packOrdinalAt(plaintext, row)];
      if (pack === undefined || !takes(plaintext, offset)) continue;
      if (chunks.add(plaintext, offset, pack.ordinal)) pack.indexedChunks++;
    }
  }
}

async function openTable(
  repository: Repository,
  { name, findings, signal }: { name: string; findings: Findings; signal: AbortSignal | undefined },
): Promise<Omit<OpenTable, 'leftOut'>> {
  const { storage, keys } = repository;
  const { object, contents: plaintext } = await openSegmentedObject(storage, { name, kind: 'index-table', keys, signal });
  const offset = contentsOffsetOf(object, plaintext);
  const contents = decodeIndexContents(plaintext, name, offset);
  const segments = indexSegments(contents);
  const reader = new SegmentReader(storage);
  const [expected, found] = [plaintext.length + sealedLayout.tagSizeBytes, await reader.readLengthField(object, offset, signal)];
  if (found !== expected) findings.add(wrongLengthField(name, { offset, expected, found }));
  const packs: PackRow[] = [];
  for await (const { plaintext: rows, error } of reader.read(object, segmentsOf(segments.packs), signal)) {
    if (error !== undefined) throw error;
    packs.push(...decodePackRows(rows, name));
  }
  return { object, contents, segments, packs };
}

function segmentsOf(run: SegmentRun): NumberedSegment[] {
  return Array.from({ length: segmentCount(run) }, (_, index) => segmentAt(run, index));
}

/** Whether the page is good. */
function checkPage(table: OpenTable, { page, plaintext, findings }: { page: number; plaintext: Uint8Array; findings: Findings }): boolean {
  const { firstNames } = table.contents;
  const nameOf = (index: number) => firstNames.subarray(index * NAME_SIZE_BYTES, (index + 1) * NAME_SIZE_BYTES);
  const isLast = (page + 1) * NAME_SIZE_BYTES === firstNames.length;
  const { items: rows } = segmentAt(table.segments.pages, page);
  return checkPageRows(plaintext, {
    table,
    findings,
    expect: { rows, firstName: nameOf(page), below: isLast ? undefined : nameOf(page + 1) },
  });
}

function checkPageRows(
  plaintext: Uint8Array,
  {
    table,
    findings,
    expect: { rows, firstName, below },
  }: { table: OpenTable; findings: Findings; expect: { rows: number; firstName?: Uint8Array | undefined; below?: Uint8Array | undefined } },
): boolean {
  try {
    checkRows(plaintext, { packs: table.packs.length, objectName: table.object.name, rows, firstName, below });
    return true;
  } catch (error) {
    findings.addError(error, { object: table.object.name });
    return false;
  }
}
