/** The small objects of a repository: each must open and hold what its kind promises. */
import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import {
  decodeAnnotation,
  decodeCatalogue,
  decodeConfiguration,
  decodeDamageReport,
  decodeDeletionMark,
  decodeHold,
  decodeKeySlot,
  decodeLostList,
  decodeRoot,
  decodeSnapshot,
  decodeVerification,
  equalBytes,
  isLaganError,
  LaganError,
  limits,
  metadataAccessKey,
  type ObjectKind,
  type ObjectReference,
  objectIdOf,
  objectNames,
  objectPrefixes,
  openObject,
  parseObjectName,
  toHex,
} from '../../repo-format/mod.ts';
import { readBaseIndex } from '../index/mod.ts';
import { openKeyring } from '../keys/mod.ts';
import { listCommits, type Repository, readCatalogue, readFormatFile, readPackList } from '../repository/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { type Findings, isDamage } from './_findings.ts';
import { checkLimits } from './_limits.ts';

/** Where small objects are, and how one of them is decoded. */
const kinds: readonly {
  readonly prefix: string;
  readonly kind: ObjectKind;
  readonly decode: (payload: Uint8Array, name: string) => unknown;
}[] = [
  { prefix: objectPrefixes.configurations, kind: 'configuration', decode: decodeConfiguration },
  { prefix: objectPrefixes.roots, kind: 'root', decode: decodeRoot },
  { prefix: objectPrefixes.snapshots, kind: 'snapshot', decode: decodeSnapshot },
  { prefix: objectPrefixes.checkpoints, kind: 'checkpoint', decode: decodeSnapshot },
  { prefix: objectPrefixes.annotations, kind: 'annotation', decode: decodeAnnotation },
  { prefix: objectPrefixes.deletionMarks, kind: 'deletion-mark', decode: decodeDeletionMark },
  { prefix: objectPrefixes.holds, kind: 'hold', decode: decodeHold },
  { prefix: objectPrefixes.damageReports, kind: 'damage-report', decode: decodeDamageReport },
  { prefix: objectPrefixes.verifications, kind: 'verification', decode: decodeVerification },
  { prefix: objectPrefixes.catalogues, kind: 'catalogue', decode: decodeCatalogue },
  { prefix: objectPrefixes.lostLists, kind: 'lost-list', decode: decodeLostList },
];

/** Opens every small object. What the root refers to must be there and be what it refers to. */
export async function checkSmallObjects(repository: Repository, findings: Findings, signal: AbortSignal | undefined): Promise<void> {
  await tell(findings, objectNames.format, () => readFormatFile(repository.storage, { signal }));
  await checkKeys(repository, findings, signal);
  let standing: Promise<ReadonlySet<string> | null> | undefined;
  for (const { prefix, kind, decode } of kinds) {
    const names = await namesBelow(repository, prefix, { findings, signal });
    await pLimit(checkLimits.concurrentReads).map(names, (name) =>
      tell(findings, name, async () => {
        try {
          const payload = await readPayload(repository, name, { kind, signal });
          if (payload !== undefined) decode(payload, name);
        } catch (error) {
          if (!isDamage(error) || kind !== 'snapshot') throw error;
          standing ??= namesThatCount(repository, signal);
          if ((await standing)?.has(name) !== false) throw error;
          const message = `${error.message}; nobody needs it: it is of a snapshot that is gone, or is kept elsewhere`;
          findings.add({ severity: 'note', code: error.code, message, object: name });
        }
      }),
    );
  }
  const { root } = repository;
  await tell(findings, objectPrefixes.catalogues, () => readCatalogue(repository, root, { signal }));
  for (const list of [root.condemned, root.doomed, root.lost]) {
    await tell(findings, objectPrefixes.lostLists, () => readPackList(repository, list, { signal }));
  }
  const baseIndex = await readBaseIndex(repository.storage, { reference: root.baseIndex, keys: repository.keys, signal }).catch(
    () => undefined,
  );
  const references = baseIndex?.tables.map(({ reference }) => reference) ?? (root.baseIndex === null ? [] : [root.baseIndex]);
  for (const reference of references) await checkBaseTable(repository, { reference, findings, signal });
}

/** The names of snapshots whose own objects are needed: a collector has neither passed them, nor put a copy into the catalogue. Null if nobody can know. */
async function namesThatCount(repository: Repository, signal: AbortSignal | undefined): Promise<ReadonlySet<string> | null> {
  const { root } = repository;
  const commits = await listCommits(repository, root, { signal });
  const catalogued = await readCatalogue(repository, root, { signal }).catch(() => null);
  return catalogued && new Set([...commits, ...catalogued].filter(({ bytes }) => bytes === null).map(({ name }) => name));
}

/** A table of the base index is the one that is referred to: the hash is that of the whole object (ROOT-4). One that is missing or damaged is told by who opens it. */
async function checkBaseTable(
  { storage }: Repository,
  { reference, findings, signal }: { reference: ObjectReference; findings: Findings; signal: AbortSignal | undefined },
): Promise<void> {
  const name = objectNames.baseIndex(reference.id);
  await tell(findings, name, async () => {
    const found = await hashOf(storage, name, signal).catch(undefinedIfAbsent);
    if (found === undefined || equalBytes(found, reference.hash)) return;
    const fields = { object: name, expected: toHex(reference.hash), found: toHex(found) };
    throw new LaganError('authentication-failed', `${name} is not the object that the root refers to`, fields);
  });
}

async function hashOf(storage: Storage, name: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const sizeBytes = await storage.size(name, { signal });
  const hash = createHash('sha256');
  for (let offset = 0; offset < sizeBytes; offset += checkLimits.windowSizeBytes) {
    const length = Math.min(checkLimits.windowSizeBytes, sizeBytes - offset);
    hash.update(await storage.get(name, { offset, length }, { signal }));
  }
  return hash.digest();
}

function undefinedIfAbsent(error: unknown): undefined {
  if (isLaganError(error, 'not-found')) return undefined;
  throw error;
}

/** A slot's secret part is known to be whole only to who has its key: of the others it is seen that they are slots of this repository. */
async function checkKeys(repository: Repository, findings: Findings, signal: AbortSignal | undefined): Promise<void> {
  const { access, keys, storage } = repository;
  for (const name of await namesBelow(repository, objectPrefixes.keySlots, { findings, signal })) {
    await tell(findings, name, async () => {
      const slot = decodeKeySlot(await storage.get(name, undefined, { limitBytes: limits.clearObjectSizeBytes, signal }), name);
      if (!equalBytes(slot.repositoryId, keys.repositoryId))
        throw new LaganError('name-mismatch', `${name} is a key slot of another repository`, { object: name });
    });
  }
  if (access === null) return;
  for (const name of await namesBelow(repository, objectPrefixes.keyrings, { findings, signal })) {
    const parsed = parseObjectName(name);
    if (parsed?.type !== 'keyring' || (keys.grants === 'metadata' && parsed.grants === 'full')) continue;
    const isDerived = keys.grants === 'full' && parsed.grants === 'metadata';
    const accessKey = isDerived ? metadataAccessKey(access.accessKey, keys.repositoryId) : access.accessKey;
    await tell(findings, name, async () => {
      const bytes = await storage.get(name, undefined, { limitBytes: limits.keyringSizeBytes, signal });
      openKeyring(bytes, { repositoryId: keys.repositoryId, number: parsed.number, grants: parsed.grants, accessKey });
    });
  }
}

/** The objects of a kind. Of others that are there, such as what a copying program has left, is told: everybody leaves them alone (NAME-1). */
async function namesBelow(
  { storage }: Repository,
  prefix: string,
  { findings, signal }: { findings: Findings; signal: AbortSignal | undefined },
): Promise<string[]> {
  const names: string[] = [];
  const foreign: string[] = [];
  for await (const { name } of storage.list(prefix, { signal })) (parseObjectName(name) === null ? foreign : names).push(name);
  if (foreign.length > 0) findings.addForeign(prefix, foreign);
  return names;
}

/** Undefined if the object was removed since it was listed, by a collector or by its owner, or counts no more: it came too late (KEY-21), or a mirror has kept it. What counts is read by whoever needs it, too. */
async function readPayload(
  { storage, keys }: Repository,
  name: string,
  { kind, signal }: { kind: ObjectKind; signal: AbortSignal | undefined },
): Promise<Uint8Array | undefined> {
  try {
    const bytes = await storage.get(name, undefined, { limitBytes: limits.smallObjectSizeBytes, signal });
    return openObject(bytes, {
      kind,
      repositoryId: keys.repositoryId,
      objectId: objectIdOf(name),
      classKeyOf: (epoch) => keys.metadataKey(epoch),
      objectName: name,
    }).payload;
  } catch (error) {
    if (keys.isTooLate(error)) return undefined;
    if (!isLaganError(error, 'not-found')) throw error;
    for await (const listed of storage.list(name, { signal })) if (listed.name === name) throw error;
    return undefined;
  }
}

/** What is wrong becomes a finding about `name`. A snapshot that cannot be opened is hurt itself. */
async function tell(findings: Findings, name: string, look: () => Promise<unknown>): Promise<void> {
  try {
    await look();
  } catch (error) {
    const finding = findings.addError(error, { object: name });
    const parsed = parseObjectName(finding.object ?? '');
    if (parsed?.type !== 'snapshot') return;
    finding.hurts(parsed.session);
    findings.complete = false;
  }
}
