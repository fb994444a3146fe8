/** Changes the objects of a repository in a folder as a later version could have written them: sealed with the right keys. */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { openRepository, openStorage, type Repository } from '../../engine/mod.ts';
import * as format from '../../repo-format/mod.ts';

export type CborMap = Record<string, unknown>;
/** Gets the record and the name of its object; returns what it is to be instead, or undefined to leave it. */
export type Change = (record: CborMap, name: string) => CborMap | undefined;

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(1) } as const;

export function objectNamesOf(place: string): string[] {
  const files = readdirSync(place, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files
    .map(({ parentPath, name }) => relative(place, join(parentPath, name)))
    .filter((name) => format.parseObjectName(name) !== null);
}

/** Changes the records of these kinds. What the root refers to by hash is referred to anew. */
export async function changeRecords(place: string, kinds: readonly format.ObjectKind[], change: Change): Promise<number> {
  const storage = openStorage(place);
  const repository = await openRepository(storage, { secret, mode: 'read' });
  const hashes = new Map<string, Uint8Array>();
  let changed = 0;
  const each = async (kind: format.ObjectKind, changeOne: Change) => {
    for (const name of objectNamesOf(place).filter((one) => kindOf(one) === kind)) {
      const record = changeOne(open(repository, place, name), name);
      if (record === undefined) continue;
      const bytes = seal(repository, name, record);
      writeFileSync(join(place, name), bytes);
      hashes.set(name.slice(-32), createHash('sha256').update(bytes).digest());
      changed++;
    }
  };
  for (const kind of kinds.filter((one) => one !== 'root')) await each(kind, change);
  await each('root', (record, name) => withHashes((kinds.includes('root') && change(record, name)) || record, hashes));
  await storage.close();
  return changed;
}

/** The clear format file. */
export function changeFormatFile(place: string, change: (record: CborMap) => CborMap): void {
  const file = join(place, format.objectNames.format);
  writeFileSync(file, format.encodeCbor(change(format.decodeCbor(readFileSync(file)).value as CborMap) as never));
}

function kindOf(name: string): format.ObjectKind | undefined {
  const type = format.parseObjectName(name)?.type;
  return type !== undefined && type in format.objectKinds ? (type as format.ObjectKind) : undefined;
}

function open({ keys }: Repository, place: string, name: string): CborMap {
  const { payload } = format.openObject(readFileSync(join(place, name)), {
    repositoryId: keys.repositoryId,
    objectId: format.objectIdOf(name),
    classKeyOf: (epoch) => keys.metadataKey(epoch),
    objectName: name,
    kind: kindOf(name)!,
  });
  return format.decodeCbor(payload).value as CborMap;
}

function seal({ keys }: Repository, name: string, record: CborMap): Uint8Array {
  const epoch = keys.newestEpoch;
  const header = { kind: kindOf(name)!, epoch, repositoryId: keys.repositoryId, objectId: format.objectIdOf(name), salt: randomBytes(32) };
  return format.sealObject({ ...header, classKey: keys.metadataKey(epoch) }, format.encodeCbor(record as never));
}

/** The root with new hashes wherever it refers to an object that was changed. */
function withHashes(value: CborMap, hashes: ReadonlyMap<string, Uint8Array>): CborMap {
  const changed = Object.entries(value).map(([key, field]) => {
    const reference = field as { id?: unknown } | null;
    const id = reference?.id instanceof Uint8Array ? Buffer.from(reference.id).toString('hex') : '';
    return [key, hashes.has(id) ? { ...(field as CborMap), hash: Uint8Array.from(hashes.get(id)!) } : field];
  });
  return Object.fromEntries(changed);
}
