/**
 * The repository's configuration and its feature sets. Source: spec/configuration.md.
 */
import { Field } from './_fields.ts';
import { decodeCbor, encodeCbor } from './cbor.ts';
import type { Time } from './entry.ts';
import { LaganError } from './errors.ts';
import { limits } from './limits.ts';

/**
 * Names of features that a repository uses. A program that does not know one goes on (`ignore`), may only read
 * (`readOnly`), or must not even read (`refuse`).
 */
export interface Features {
  readonly ignore: readonly string[];
  readonly readOnly: readonly string[];
  readonly refuse: readonly string[];
}

export interface ChunkerParameters {
  readonly kind: 'local-maximum-1';
  readonly horizonBytes: number;
  readonly gridBytes: number;
}

export interface Configuration {
  readonly created: Time;
  readonly chunker: ChunkerParameters;
  readonly blockSizeBytes: number;
  readonly packSizeBytes: number;
  /** Epoch whose master secret gives the naming and cutting keys. */
  readonly nameEpoch: number;
  /** Who alone may collect, where the store has no safe creation; null: anyone. */
  readonly collector: string | null;
  readonly features: Features;
}

export const noFeatures: Features = Object.freeze({ ignore: [], readOnly: [], refuse: [] });

/** The keyring has naming keys of its own: who derived them would take every chunk for a damaged one. In `refuse`. */
export const namingKeysFeature = 'naming-keys';

/** Features that this program knows. */
export const knownFeatures: ReadonlySet<string> = new Set([namingKeysFeature]);

const VERSION = 1;

export function encodeConfiguration(configuration: Configuration): Uint8Array {
  const { created } = configuration;
  return encodeCbor({ ...configuration, version: VERSION, created: [created.seconds, created.nanoseconds] });
}

/** Reads the payload. The features are not judged here: see {@link accessAllowed}. */
export function decodeConfiguration(payload: Uint8Array, objectName?: string): Configuration {
  const root = Field.root(decodeCbor(payload, { objectName }));
  root.at('version').version(VERSION);
  return {
    created: root.at('created').time(),
    chunker: readChunker(root.at('chunker')),
    blockSizeBytes: atLeastOne(root.at('blockSizeBytes'), limits.blockRawSizeBytes),
    packSizeBytes: atLeastOne(root.at('packSizeBytes'), limits.packSizeBytes),
    nameEpoch: root.at('nameEpoch').uint(limits.u32),
    collector: root.at('collector').orNull((field) => field.text()),
    features: readFeatures(root.at('features')),
  };
}

export function readFeatures(field: Field): Features {
  const set = (name: keyof Features) => field.at(name).list(limits.featuresPerSet, (item) => item.text());
  return { ignore: set('ignore'), readOnly: set('readOnly'), refuse: set('refuse') };
}

/** What a program that knows `known` may do: everything, only read, or nothing. */
export function accessAllowed(features: Features, known: ReadonlySet<string> = knownFeatures): 'write' | 'read' | 'none' {
  const knowsAll = (names: readonly string[]) => names.every((name) => known.has(name));
  if (!knowsAll(features.refuse)) return 'none';
  return knowsAll(features.readOnly) ? 'write' : 'read';
}

/** Throws feature-unknown if the features do not allow `access`. */
export function expectAccess(
  features: Features,
  access: 'read' | 'write',
  objectName?: string,
  known: ReadonlySet<string> = knownFeatures,
): void {
  const allowed = accessAllowed(features, known);
  if (allowed === 'write' || allowed === access) return;
  const names = allowed === 'none' ? features.refuse : features.readOnly;
  const unknown = names.filter((name) => !known.has(name));
  throw new LaganError('feature-unknown', `the repository needs ${unknown.join(', ')} for ${access === 'read' ? 'reading' : 'writing'}`, {
    object: objectName,
    expected: [...known],
    found: unknown,
    hint: 'Use a newer release of Lagan.',
  });
}

/** Throws malformed if `outer` (the clear format file) names a feature that `inner` (the sealed configuration) lacks. */
export function expectFeaturesWithin(outer: Features, inner: Features, objectName?: string): void {
  for (const set of ['ignore', 'readOnly', 'refuse'] as const) {
    const missing = outer[set].find((name) => !inner[set].includes(name));
    if (missing === undefined) continue;
    throw new LaganError('malformed', `${objectName ?? 'format file'}: feature ${missing} is not in the sealed configuration`, {
      object: objectName,
      offset: 0,
      expected: inner[set],
      found: outer[set],
    });
  }
}

function readChunker(field: Field): ChunkerParameters {
  const kind = field.at('kind').oneOf(['local-maximum-1']);
  const gridBytes = atLeastOne(field.at('gridBytes'), limits.gridBytes);
  const horizonBytes = field.at('horizonBytes').uint(gridBytes);
  if (horizonBytes < limits.smallestHorizonBytes) throw field.at('horizonBytes').wrong(`at least ${limits.smallestHorizonBytes}`);
  return { kind, horizonBytes, gridBytes };
}

function atLeastOne(field: Field, limit: number): number {
  const value = field.uint(limit);
  if (value === 0) throw field.wrong('at least 1');
  return value;
}
