/**
 * Damage reports: what a reader has found missing or damaged, for writers and the collector (docs/decisions/021-lost-chunks.md). A report is created once and never
 * changed. Nothing is lost by a wrong one: until the collector has asked the store itself, writers only store anew what the report names.
 */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import {
  accessAllowed,
  type DamageFinding,
  type DamageReport,
  decodeDamageReport,
  encodeDamageReport,
  idFromBytes,
  limits,
  type ObjectId,
  objectNames,
  objectPrefixes,
  type PackId,
  type Time,
} from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { createLasting } from './_lasting.ts';
import { createSealed } from './_sealed-objects.ts';
import { now } from './_time.ts';
import { findRecords, type ListRecordsOptions, readRecords, type StoredRecord } from './owner-records.ts';
import type { Repository } from './repository.ts';
import { readPackList, readRoot } from './roots.ts';

export type StoredReport = StoredRecord<DamageReport>;

export interface WriteReportOptions extends CallOptions {
  /** Who has found it. Default: the name of this machine. */
  readonly host?: string | undefined;
  /** Default: now. */
  readonly time?: Time | undefined;
}

/**
 * Stores what was found as sealed objects `writer/reports/<id>`; returns their ids. What a finding says: `pack` is the pack that cannot be relied on any more, or null where no
 * pack is at fault (then nobody does anything about it); `chunks` are those of its chunks that are known to be lost, none where that is not known, as with a pack that is gone;
 * `kind` is the code of the error. In a repository that only newer versions may write to nothing is stored. Findings that another report has already, and of packs that the root calls lost, are left out: nothing is stored if none remains.
 *
 * Codes: forbidden (the credentials do not let a writer create objects), and those of the storage.
 */
export async function writeDamageReport(
  repository: Repository,
  findings: readonly DamageFinding[],
  { host = hostname(), time = now(), signal }: WriteReportOptions = {},
): Promise<ObjectId[]> {
  if (findings.length === 0 || accessAllowed(repository.configuration.features) !== 'write') return [];
  const reported = (await listDamageReports(repository, { onDamage: () => undefined, signal })).flatMap(({ value }) => value.findings);
  const known = new Set(reported.map(({ object, pack }) => pack ?? object));
  for (const pack of await readPackList(repository, (await readRoot(repository, { signal })).lost, { signal })) known.add(pack);
  const parts = inParts(findings.filter(({ object, pack }) => !known.has(pack ?? object)));
  return createLasting(
    repository,
    async (current) => {
      const ids: ObjectId[] = [];
      for (const part of parts) {
        const id = idFromBytes<ObjectId>(randomBytes(16));
        const payload = encodeDamageReport({ time, host, findings: part });
        await createSealed(contextOf(current), objectNames.damageReport(id), { kind: 'damage-report', payload, signal });
        ids.push(id);
      }
      return { names: ids.map(objectNames.damageReport), result: ids };
    },
    { signal },
  );
}

/** All damage reports that the collector has not dealt with. Codes: those of the storage, and those of damage, see `onDamage`. */
export async function listDamageReports(repository: Repository, options: ListRecordsOptions = {}): Promise<StoredReport[]> {
  const type = { prefix: objectPrefixes.damageReports, kind: 'damage-report', decode: decodeDamageReport } as const;
  return readRecords(repository, await findRecords(repository, type, options), options);
}

/** The packs that reports name. A report that is damaged itself names none. Codes: those of the storage. */
export async function listReportedPacks(repository: Repository, { signal }: CallOptions = {}): Promise<Set<PackId>> {
  const reports = await listDamageReports(repository, { onDamage: () => undefined, signal });
  return new Set(reports.flatMap(({ value }) => value.findings.flatMap(({ pack }) => pack ?? [])));
}

/** As many findings in each part as a report holds, and as chunks fit into it. */
function inParts(findings: readonly DamageFinding[]): DamageFinding[][] {
  const parts: DamageFinding[][] = [];
  let chunks = 0;
  for (const finding of findings) {
    const last = parts.at(-1);
    const fits = last !== undefined && last.length < limits.findingsPerReport && chunks + finding.chunks.length <= limits.chunksPerRecord;
    chunks = (fits ? chunks : 0) + finding.chunks.length;
    if (fits) last.push(finding);
    else parts.push([finding]);
  }
  return parts;
}
