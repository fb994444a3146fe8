/** Index tables: every segment opens, rows are in order, and their packs are in the store. */
import {
  checkRows,
  decodeIndexContents,
  decodePackRows,
  type IndexContents,
  indexRowLayout,
  objectNames,
  type PackRow,
  packOrdinalAt,
  sealedLayout,
} from '../../repo-format/mod.ts';
import { openSegmentedObject, type SegmentedObject } from '../objects/mod.ts';
import { listIndexTables, type Repository } from '../repository/mod.ts';
import type { ChunkSet } from './_chunk-set.ts';
import type { Findings } from './_findings.ts';
import type { KnownPacks } from './_known-packs.ts';
import { contentsOffsetOf, wrongLengthField } from './_pack-verifier.ts';
import { type NumberedSegment, SegmentReader } from './_segments.ts';

/** A table whose head is good. */
export interface OpenTable {
  readonly object: SegmentedObject;
  readonly contents: IndexContents;
  readonly packs: readonly PackRow[];
}

/** Opens all index tables that count. Of a table that cannot be opened only the finding remains. */
export async function openTables(
  repository: Repository,
  { findings, packs, signal }: { findings: Findings; packs: KnownPacks; signal: AbortSignal | undefined },
): Promise<{ tables: OpenTable[]; damaged: number }> {
  const { root } = repository;
  const names = (await listIndexTables(repository, root, { signal })).map(({ name }) => name);
  if (root.baseIndex !== null) names.push(objectNames.baseIndex(root.baseIndex.id));
  const tables: OpenTable[] = [];
  for (const name of names) {
    try {
      const table = await openTable(repository, { name, findings, signal });
      tables.push(table);
      for (const row of table.packs) packs.get(row.id).indexed = row;
    } catch (error) {
      findings.addError(error, { object: name });
      findings.complete = false;
    }
  }
  return { tables, damaged: names.length - tables.length };
}

/** Opens every segment of a table once. */
export async function checkTable(
  repository: Repository,
  table: OpenTable,
  { findings, signal }: { findings: Findings; signal: AbortSignal | undefined },
): Promise<void> {
  const { name } = table.object;
  const reader = new SegmentReader(repository.storage);
  const { packSegments, pages, filter, sample } = table.contents;
  const firstSample = packSegments.length + pages.length + filter.length;
  const segments = [...packSegments, ...pages, ...filter, ...sample].map((place, number) => ({ number, place }));
  for await (const { segment, plaintext, error } of reader.read(table.object, segments, signal)) {
    const { number } = segment;
    if (error !== undefined) findings.addError(error, { object: name });
    else if (number < packSegments.length || (number >= packSegments.length + pages.length && number < firstSample)) continue;
    else if (number < firstSample) checkPage(table, { page: number - packSegments.length, plaintext, findings });
    else checkPageRows(plaintext, { table, findings, expect: sample[number - firstSample]! });
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
  const known = table.packs.map(({ id }) => packs.get(id));
  for await (const { plaintext } of reader.read(table.object, pageSegments(table), signal)) {
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
): Promise<OpenTable> {
  const { storage, keys } = repository;
  const { object, contents: plaintext } = await openSegmentedObject(storage, { name, kind: 'index-table', keys, signal });
  const offset = contentsOffsetOf(object, plaintext);
  const contents = decodeIndexContents(plaintext, name, offset);
  const reader = new SegmentReader(storage);
  const [expected, found] = [plaintext.length + sealedLayout.tagSizeBytes, await reader.readLengthField(object, offset, signal)];
  if (found !== expected) findings.add(wrongLengthField(name, { offset, expected, found }));
  const packs: PackRow[] = [];
  for await (const { plaintext: rows, error } of reader.read(
    object,
    contents.packSegments.map((place, number) => ({ number, place })),
    signal,
  )) {
    if (error !== undefined) throw error;
    packs.push(...decodePackRows(rows, name));
  }
  return { object, contents, packs };
}

function pageSegments({ contents }: OpenTable): NumberedSegment[] {
  return contents.pages.map((place, index) => ({ number: contents.packSegments.length + index, place }));
}

function checkPage(table: OpenTable, { page, plaintext, findings }: { page: number; plaintext: Uint8Array; findings: Findings }): void {
  const { pages } = table.contents;
  const { rows, firstName } = pages[page]!;
  checkPageRows(plaintext, { table, findings, expect: { rows, firstName, below: pages[page + 1]?.firstName } });
}

function checkPageRows(
  plaintext: Uint8Array,
  {
    table,
    findings,
    expect: { rows, firstName, below },
  }: { table: OpenTable; findings: Findings; expect: { rows: number; firstName?: Uint8Array | undefined; below?: Uint8Array | undefined } },
): void {
  try {
    checkRows(plaintext, { packs: table.packs.length, objectName: table.object.name, rows, firstName, below });
  } catch (error) {
    findings.addError(error, { object: table.object.name });
  }
}
