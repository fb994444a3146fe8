/** Snapshot, root, configuration, format file and the small records. */
import { text, type Vector } from '../_vector.ts';
import { cbor, nameC, nameD, objectId, packA, packB, parts, repositoryId } from './_pieces.ts';

const id = '202122232425262728292a2b2c2d2e2f';
const started = [1_700_000_000, 5] as const;
const startedValue = { seconds: 1_700_000_000, nanoseconds: 5 };

/** A case: what differs from the good record; a value of undefined takes the key away. */
type Case = readonly [
  name: string,
  expect: string,
  covers: string,
  comment: string,
  change: Record<string, unknown>,
  result?: object,
  objectName?: string,
];

export const records = (): Vector[] => [...snapshots(), ...roots(), ...configurations(), ...formatFiles(), ...small()];

function vectors(container: string, good: object, value: object, cases: readonly Case[]): Vector[] {
  return cases.map(([name, expect, covers, comment, change, result = {}, objectName]) => ({
    container,
    name,
    expect,
    covers: covers.split(' '),
    comment,
    result: { ...value, ...result },
    ...(objectName === undefined ? {} : { inputs: { objectName } }),
    parts: parts(cbor(without({ ...good, ...change }))),
  }));
}

function without(map: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).filter(([, value]) => value !== undefined));
}

function snapshots(): Vector[] {
  const statistics = { files: 0, directories: 0, others: 0, bytes: 0, newBytes: 0, storedBytes: 0, chunks: 0, newChunks: 0, errors: 0 };
  const good = {
    version: 1,
    session: objectId,
    generation: 7,
    started,
    ended: started,
    host: 'host',
    user: 'root',
    paths: [text('/srv')],
    tags: ['daily'],
    description: '',
    program: 'lagan 0.1.0',
    tree: null,
    packs: null,
    listPacks: [],
    parent: null,
    source: 'host:/srv',
    partial: false,
    statistics,
    errors: [],
    extensions: {},
  };
  const { version: _version, ...rest } = good;
  const value = { ...rest, started: startedValue, ended: startedValue };
  const tree = { pack: packA, name: nameC };
  const packs = { pack: packB, name: nameD, height: 0, count: 2 };
  const error = { path: text('/srv/a'), code: 'EACCES', message: 'permission denied' };
  const snapshotName = `writer/snapshots/0000000000000007/${id}`;
  return vectors('snapshot', good, value, [
    ['ok-empty', 'ok', 'SNAP-3', 'a snapshot without entries', {}],
    [
      'ok-tree',
      'ok',
      'SNAP-2 SNAP-3',
      'a tree and its packs',
      { tree, packs, listPacks: [packB], parent: packA },
      { tree, packs, listPacks: [packB], parent: packA },
      snapshotName,
    ],
    ['ok-checkpoint', 'ok', 'SNAP-2', 'the same record as checkpoint', {}, {}, `writer/checkpoints/0000000000000007/${id}.00000003`],
    ['ok-1969', 'ok', 'CONV-5', 'a clock in 1969', { started: [-1, 999_999_999] }, { started: { seconds: -1, nanoseconds: 999_999_999 } }],
    [
      'ok-2500',
      'ok',
      'CONV-5',
      'a clock in 2500',
      { started: [16_725_225_600, 0] },
      { started: { seconds: 16_725_225_600, nanoseconds: 0 } },
    ],
    ['ok-unknown-key', 'ok', 'CBOR-4', 'a key that this version does not know', { later: [1] }],
    [
      'ok-extension',
      'ok',
      'CBOR-4',
      'an extension',
      { extensions: { 'example.org/x': { deep: [1, text('b'), null] } } },
      { extensions: { 'example.org/x': { deep: [1, text('b'), null] } } },
    ],
    ['ok-error', 'ok', 'CBOR-6', 'an error', { errors: [error], partial: true }, { errors: [error], partial: true }],
    ['ok-parent-missing', 'ok', 'CBOR-6', 'no key parent, which is the same as null', { parent: undefined }],
    ['version', 'malformed', 'SNAP-1', 'version 0', { version: 0 }],
    ['version-2', 'repository-too-new', 'SNAP-1 FEAT-4', 'version 2', { version: 2 }],
    ['session', 'name-mismatch', 'SNAP-2', 'the snapshot of another session', {}, {}, `writer/snapshots/0000000000000007/f${id.slice(1)}`],
    [
      'generation',
      'name-mismatch',
      'SNAP-2',
      'a snapshot that was moved to a later generation',
      {},
      {},
      `writer/snapshots/0000000000000008/${id}`,
    ],
    [
      'checkpoint-generation',
      'name-mismatch',
      'SNAP-2',
      'a checkpoint that was moved',
      {},
      {},
      `writer/checkpoints/0000000000000008/${id}.00000003`,
    ],
    ['tree-without-packs', 'malformed', 'SNAP-3', 'a tree without pack list', { tree }],
    ['packs-without-tree', 'malformed', 'SNAP-3', 'a pack list without tree', { packs }],
    ['missing-host', 'malformed', 'CBOR-6', 'no host', { host: undefined }],
    ['host-null', 'malformed', 'CBOR-6', 'null for a host', { host: null }],
    ['host-bytes', 'malformed', 'CBOR-6', 'bytes for text', { host: text('host') }],
    ['path-text', 'malformed', 'CBOR-6', 'text for a path', { paths: ['/srv'] }],
    ['short-id', 'malformed', 'CBOR-6', 'an id of 15 bytes', { session: objectId.subarray(1) }],
    ['short-name', 'malformed', 'CBOR-6', 'a name of 31 bytes', { tree: { pack: packA, name: nameC.subarray(1) }, packs }],
    ['negative', 'malformed', 'CBOR-6', 'a negative generation', { generation: -1 }],
    ['generation-2-53', 'limit-exceeded', 'CONV-4', 'generation 2^53', { generation: 2n ** 53n }],
    ['nanoseconds', 'limit-exceeded', 'CONV-6', '10^9 nanoseconds', { started: [0, 1_000_000_000] }],
    ['time-1', 'malformed', 'CBOR-6', 'a time without nanoseconds', { started: [0] }],
    ['1001-errors', 'limit-exceeded', 'CONV-4', '1,001 errors', { errors: Array(1001).fill({ path: text(''), code: '', message: '' }) }],
    ['long-host', 'limit-exceeded', 'CONV-4', 'a host of 64 KiB + 1', { host: 'h'.repeat(65537) }],
    ['list-height', 'limit-exceeded', 'CONV-4 NODE-2', 'a pack list of height 33', { tree, packs: { ...packs, height: 33 } }],
  ]);
}

function roots(): Vector[] {
  const good = {
    version: 1,
    number: 5,
    nonce: repositoryId,
    previous: null,
    generation: 3,
    floor: 2,
    phase: 'open',
    pastFloor: 2,
    baseIndex: null,
    catalogue: null,
    lost: null,
    condemned: null,
    doomed: null,
  };
  const { version: _version, ...value } = good;
  const reference = { id: objectId, hash: nameC };
  const locks = { begun: 1_890_000_000, period: 2_592_000, after: 'owner/format' };
  const all = { previous: objectId, baseIndex: reference, catalogue: reference, lost: reference, condemned: reference, doomed: reference };
  return vectors('root', good, value, [
    ['ok-first', 'ok', 'ROOT-1', 'a root that refers to nothing', {}],
    [
      'ok-all',
      'ok',
      'ROOT-1 ROOT-2',
      'a root that refers to everything',
      { ...all, phase: 'fencing', pastFloor: 1 },
      { ...all, phase: 'fencing', pastFloor: 1 },
      'collector/roots/0000000000000005',
    ],
    ['ok-locks', 'ok', 'ROOT-1', 'locks that were extended up to a name', { locks }, { locks }],
    ['ok-locks-null', 'ok', 'CBOR-6', 'locks that never were extended', { locks: null }],
    ['locks', 'malformed', 'CBOR-6', 'locks without a period', { locks: { begun: 1, after: null } }],
    ['ok-unknown-key', 'ok', 'CBOR-4', 'a key that this version does not know', { later: 1 }],
    ['version', 'repository-too-new', 'ROOT-1 FEAT-4', 'version 2', { version: 2 }],
    ['version-0', 'malformed', 'ROOT-1', 'version 0', { version: 0 }],
    ['phase', 'malformed', 'ROOT-1', 'an unknown phase', { phase: 'closed' }],
    ['floor', 'malformed', 'ROOT-1', 'a floor above the generation', { floor: 4 }],
    ['past-floor', 'malformed', 'ROOT-1', 'a pastFloor above the floor', { pastFloor: 3 }],
    ['number', 'name-mismatch', 'ROOT-2', 'a root that was given a higher number', {}, {}, 'collector/roots/0000000000000006'],
    ['size', 'limit-exceeded', 'ROOT-3 CONV-4', 'a root beyond 64 KiB', { later: new Uint8Array(65536) }],
    ['nonce', 'malformed', 'CBOR-6', 'a nonce of 15 bytes', { nonce: repositoryId.subarray(1) }],
    ['hash', 'malformed', 'CBOR-6', 'a reference without hash', { catalogue: { id: objectId } }],
    ['missing-floor', 'malformed', 'CBOR-6', 'no floor', { floor: undefined }],
  ]);
}

const noSets = { ignore: [], readOnly: [], refuse: [] };

function configurations(): Vector[] {
  const chunker = { kind: 'local-maximum-1', horizonBytes: 32768, gridBytes: 131072 };
  const good = {
    version: 1,
    created: started,
    chunker,
    blockSizeBytes: 1048576,
    packSizeBytes: 33554432,
    nameEpoch: 1,
    collector: null,
    features: noSets,
  };
  const { version: _version, ...rest } = good;
  const value = { ...rest, created: startedValue };
  const features = { ignore: ['later/hint'], readOnly: ['later/collect'], refuse: ['later/codec'] };
  const horizon = (horizonBytes: number, gridBytes = 131072) => ({ chunker: { ...chunker, horizonBytes, gridBytes } });
  return vectors('configuration', good, value, [
    ['ok', 'ok', 'CONF-1 CONF-2', 'the defaults', {}],
    ['ok-features', 'ok', 'FEAT-1 FEAT-2 FEAT-3', 'a feature in each set: decoding does not judge them', { features }, { features }],
    ['ok-least', 'ok', 'CONF-2', 'the least horizon', horizon(64, 64), horizon(64, 64)],
    ['ok-greatest', 'ok', 'CONF-2', 'the greatest grid', horizon(349525, 349525), horizon(349525, 349525)],
    ['version', 'repository-too-new', 'CONF-1 FEAT-4', 'version 2', { version: 2 }],
    ['chunker', 'malformed', 'CONF-1', 'an unknown chunker', { chunker: { ...chunker, kind: 'gear-1' } }],
    ['horizon-63', 'malformed', 'CONF-2', 'a horizon of 63', horizon(63)],
    ['horizon-above-grid', 'limit-exceeded', 'CONF-2', 'a horizon above the grid', horizon(131073)],
    ['grid', 'limit-exceeded', 'CONF-2', 'a grid of 349,526', horizon(32768, 349526)],
    ['block-0', 'malformed', 'CONF-2', 'blocks of 0 bytes', { blockSizeBytes: 0 }],
    ['block-big', 'limit-exceeded', 'CONF-2', 'blocks of 32 MiB + 1', { blockSizeBytes: 2 ** 25 + 1 }],
    ['pack-big', 'limit-exceeded', 'CONF-2', 'packs of 256 MiB + 1', { packSizeBytes: 2 ** 28 + 1 }],
    ['feature-number', 'malformed', 'CBOR-6', 'a feature that is no text', { features: { ...noSets, refuse: [1] } }],
    ['features-missing', 'malformed', 'CBOR-6', 'no feature sets: they cannot be taken for empty', { features: undefined }],
    ['feature-set-missing', 'malformed', 'CBOR-6', 'no set refuse', { features: { ignore: [], readOnly: [] } }],
  ]);
}

function formatFiles(): Vector[] {
  const good = { lagan: 1, repository: repositoryId, features: noSets };
  return vectors('format-file', good, { repositoryId, features: noSets }, [
    ['ok', 'ok', 'FORMAT-1', 'a repository without features', {}],
    ['ok-unknown-key', 'ok', 'CBOR-4', 'a key that this version does not know', { later: 1 }],
    ['format-2', 'repository-too-new', 'FEAT-4 FORMAT-2', 'format 2', { lagan: 2 }],
    [
      'format-2-only',
      'repository-too-new',
      'FEAT-4 FORMAT-2',
      'format 2, with nothing that format 1 has',
      { lagan: 2, repository: undefined, features: undefined },
    ],
    ['format-0', 'malformed', 'FORMAT-1', 'format 0', { lagan: 0 }],
    ['format-missing', 'malformed', 'FORMAT-1', 'no format number', { lagan: undefined }],
    ['format-text', 'malformed', 'FORMAT-1', 'text for the format number', { lagan: '1' }],
    ['repository', 'malformed', 'FORMAT-1', 'an id of 17 bytes', { repository: new Uint8Array(17) }],
    ['features', 'malformed', 'FORMAT-1', 'no feature sets', { features: undefined }],
    ['size', 'limit-exceeded', 'FORMAT-1', 'a file beyond 64 KiB', { later: new Uint8Array(65536) }],
  ]);
}

function small(): Vector[] {
  const time = { time: startedValue };
  const finding = { object: 'writer/packs/0a/…', pack: packA, chunks: [nameC], kind: 'authentication-failed' };
  const entry = { id: packA, generation: 3, object: text('') };
  const checkpoint = { session: packA, generation: 3, number: 7 };
  return [
    ...vectors(
      'hold',
      { version: 1, snapshots: [packA], until: null, reason: 'audit' },
      { snapshots: [packA], until: null, reason: 'audit' },
      [
        ['ok', 'ok', 'REC-2 REC-3', 'a hold without end', {}],
        ['ok-until', 'ok', 'REC-2', 'a hold until a time', { until: started }, { until: startedValue }],
        ['version', 'repository-too-new', 'REC-1 FEAT-4', 'version 2', { version: 2 }],
        ['snapshots', 'malformed', 'REC-2', 'no list of snapshots', { snapshots: undefined }],
        ['id', 'malformed', 'REC-2', 'an id as text', { snapshots: [id] }],
      ],
    ),
    ...vectors(
      'deletion-mark',
      { version: 1, snapshots: [packA], time: started, reason: 'policy' },
      { snapshots: [packA], ...time, reason: 'policy' },
      [
        ['ok', 'ok', 'REC-2', 'one snapshot', {}],
        ['time', 'malformed', 'REC-2', 'null for the time', { time: null }],
        ['version', 'malformed', 'REC-1', 'no version', { version: undefined }],
      ],
    ),
    ...vectors('annotation', { version: 1, tags: ['a'], description: null, time: started }, { tags: ['a'], description: null, ...time }, [
      ['ok', 'ok', 'REC-2', 'other tags, the same description', {}],
      ['ok-no-tags', 'ok', 'REC-2', 'no tags any more', { tags: [] }, { tags: [] }],
      ['tag', 'malformed', 'REC-2', 'a tag that is no text', { tags: [1] }],
      ['many-tags', 'limit-exceeded', 'CONV-4', '1,025 tags', { tags: Array(1025).fill('t') }],
    ]),
    ...vectors(
      'damage-report',
      { version: 1, time: started, host: 'h', findings: [finding] },
      { ...time, host: 'h', findings: [finding] },
      [
        ['ok', 'ok', 'REC-2', 'a damaged pack', {}],
        [
          'ok-no-pack',
          'ok',
          'REC-2',
          'damage outside of packs',
          { findings: [{ ...finding, pack: null }] },
          { findings: [{ ...finding, pack: null }] },
        ],
        ['chunk', 'malformed', 'REC-2', 'a chunk name of 16 bytes', { findings: [{ ...finding, chunks: [packA] }] }],
      ],
    ),
    ...vectors(
      'verification',
      { version: 1, time: started, host: 'h', packs: [packA, packB] },
      { ...time, host: 'h', packs: [packA, packB] },
      [
        ['ok', 'ok', 'REC-2', 'two packs', {}],
        ['host', 'malformed', 'REC-2', 'no host', { host: undefined }],
        ['pack', 'malformed', 'REC-2', 'a pack id of 17 bytes', { packs: [new Uint8Array(17)] }],
        ['version', 'repository-too-new', 'REC-1', 'version 2', { version: 2 }],
      ],
    ),
    ...vectors('catalogue', { version: 1, snapshots: [entry] }, { snapshots: [entry], checkpoints: [] }, [
      ['ok', 'ok', 'REC-2', 'one snapshot', {}],
      ['ok-checkpoint', 'ok', 'REC-2', 'a checkpoint, too', { checkpoints: [checkpoint] }, { checkpoints: [checkpoint] }],
      ['checkpoint', 'malformed', 'REC-2', 'a checkpoint without number', { checkpoints: [{ session: packA, generation: 3 }] }],
      ['generation', 'malformed', 'REC-2', 'no generation', { snapshots: [{ id: packA, object: text('') }] }],
    ]),
    ...vectors('lost-list', { version: 1, chunks: [nameC], packs: [packA] }, { chunks: [nameC], packs: [packA], marked: [], counts: [] }, [
      ['ok', 'ok', 'REC-2', 'a chunk and a pack', {}],
      [
        'counted',
        'ok',
        'REC-5',
        'one chunk of the first pack, none of the second',
        { packs: [packA, packB], counts: [1, 0] },
        { packs: [packA, packB], counts: [1, 0] },
      ],
      ['count', 'malformed', 'REC-5', 'two chunks are counted, one is named', { counts: [2] }],
      ['counts', 'malformed', 'REC-5', 'counts for two packs, one is named', { counts: [1, 0] }],
      ['counting', 'malformed', 'REC-2', 'a count that is no number', { counts: ['1'] }],
      ['marked', 'malformed', 'REC-2', 'a marked session without its id', { marked: [{ number: null }] }],
      ['packs', 'malformed', 'REC-2', 'no list of packs', { packs: undefined }],
      ['version', 'repository-too-new', 'REC-1', 'version 2', { version: 2 }],
    ]),
  ];
}
