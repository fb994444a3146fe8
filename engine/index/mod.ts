/** Which pack has which chunk: the tables in the store, and the chunks that the running backup has written. */
export { FilterWriter } from './_filter-writer.ts';
export { SampleWriter } from './_sample-writer.ts';
export { type BaseIndex, type BaseTable, basePackRows, countRows, listedPacks, openBaseIndex, readBaseIndex } from './base-index.ts';
export { ChunkTable, claimed, notFound, tableFull } from './chunk-table.ts';
export { Deduplicator, unresolved } from './deduplicator.ts';
export { FilterMemory, filterMemory } from './filter-memory.ts';
export { movedChunks } from './moved-chunks.ts';
export { PackTable, type PackTableBuffers } from './pack-table.ts';
export { StoredIndex } from './stored-index.ts';
export { closeTable, type OpenedTable, openTable, type StoredTable } from './stored-table.ts';
export { type MergedRows, type MergeOptions, mergeIndexTables, openMergedRows } from './table-merger.ts';
export { writeIndexTable } from './table-writer.ts';
export { readStoredPack, storeTablesOfPacks, type TablesOfPacksOptions } from './tables-of-packs.ts';
