/** What a snapshot of a volume says of it: an extension, under a name of its own, of a record that other programs leave alone. */
import type { Snapshot } from '../../engine/mod.ts';
import type { VolumeIdentity, VolumeManifest } from './volume.ts';

const recordKey = 'kubernetes';

export interface VolumeRecord {
  readonly identity: VolumeIdentity;
  readonly manifest: VolumeManifest;
}

export function recordExtension({ identity, manifest }: VolumeRecord): Record<string, unknown> {
  return { [recordKey]: { identity: withoutUndefined(identity), manifest: withoutUndefined(manifest) } };
}

/** Null for a snapshot that is none of a volume. */
export function recordOf({ extensions }: Pick<Snapshot, 'extensions'>): VolumeRecord | null {
  const record = extensions[recordKey] as Partial<VolumeRecord> | undefined;
  const { identity, manifest } = record ?? {};
  const isKnown = typeof identity?.cluster === 'string' && typeof identity.namespace === 'string' && typeof manifest?.mode === 'string';
  return isKnown ? { identity, manifest } : null;
}

function withoutUndefined(record: object): object {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
