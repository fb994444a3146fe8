// The bounds within which the protocol is explored: `small` ones in the tests, `full` ones too by `explore.mjs --all`. Each switches on what it is about, so
// that all its states can be visited.

const one = { writers: 1, collectors: 1, generations: 2, wanted: [1] };
const forget = { ...one, writers: 0, generations: 1, features: ['elder', 'forget'] };
const repack = { ...one, generations: 2, firstPack: 3, repacks: 2, wanted: [2], features: ['elder', 'repack', 'prune'] };
const objects = { ...one, features: ['objects', 'repeats', 'pages', 'reader'] };
const checkpoints = { ...one, wanted: [3], attempts: 2, features: ['checkpoints'] };
const takeOver = { ...one, attempts: 2, wanted: [2], features: ['takeOver', 'prune'] };
const quiet = { ...one, features: ['quiet', 'prune', 'objects'] };
const quietForget = { ...quiet, writers: 0, features: [...quiet.features, 'elder', 'forget'] };
const quietRepack = { ...quiet, generations: 1, wanted: [2], firstPack: 3, repacks: 1, features: ['quiet', 'prune', 'elder', 'repack'] };
const rollback = { ...one, features: ['rollback', 'objects'] };
const rollbackRepacked = { ...one, writers: 0, repacks: 1, features: ['elder', 'repack', 'rollback', 'objects'] };

const lost = { ...one, generations: 1, losses: 1, features: ['elder', 'lost'] };
const lostDrop = { ...lost, wrongReports: 1, features: [...lost.features, 'drop'] };
const lostUnderWay = { ...lost, features: [...lost.features, 'underWay'] };
const lostRepacked = { ...lost, repacks: 1, firstPack: 3, wanted: [2], features: [...lost.features, 'repack', 'prune'] };
const lostRollback = { ...rollbackRepacked, generations: 1, features: [...rollbackRepacked.features, 'lost'] };

export const configurations = {
  roots: {
    small: [
      { ...one, attempts: 2, condemn: 'any', wanted: [3] },
      { ...one, collectors: 2, condemn: 'any' },
      { ...one, writers: 2, wanted: [1, 1] },
    ],
    full: [
      { ...one, collectors: 2, condemn: 'any', attempts: 2, wanted: [3] },
      { ...one, writers: 2, condemn: 'any', wanted: [1, 3] },
      { ...one, writers: 2, collectors: 2, wanted: [1, 1] },
    ],
  },
  pages: {
    small: [{ ...one, attempts: 2, features: ['pages'] }],
    full: [
      { ...one, collectors: 2, features: ['pages'] },
      { ...one, writers: 2, features: ['pages'] },
    ],
  },
  late: {
    small: [{ ...one, generations: 1, attempts: 2, wanted: [2], features: ['late', 'prune', 'objects'] }],
    full: [
      { ...one, attempts: 2, wanted: [3], features: ['late', 'checkpoints'] },
      { ...one, attempts: 2, wanted: [2], features: ['late', 'prune', 'objects'] },
      { ...one, attempts: 2, wanted: [2], features: ['late', 'pending', 'prune', 'takeOver'] },
    ],
  },
  pending: {
    small: [{ ...one, generations: 1, writers: 2, wanted: [2, 2], features: ['pending'] }],
    full: [
      { ...one, writers: 2, wanted: [2, 2], features: ['pending'] },
      { ...one, generations: 3, attempts: 2, wanted: [2], features: ['pending', 'prune'] },
    ],
  },
  forget: {
    small: [forget, { ...forget, collectors: 2 }, { ...forget, writers: 1 }],
    full: [
      { ...forget, collectors: 2, generations: 2, writers: 1 },
      { ...repack, repacks: 1, generations: 1, features: [...repack.features, 'forget'] },
    ],
  },
  repack: {
    small: [
      { ...repack, generations: 2 },
      { ...repack, writers: 0, generations: 3, features: [...repack.features, 'reader'] },
    ],
    full: [
      { ...repack, collectors: 2 },
      { ...repack, attempts: 2, wanted: [3] },
      { ...repack, features: [...repack.features, 'reader'] },
    ],
  },
  objects: {
    small: [{ ...objects, generations: 1 }],
    full: [objects, { ...objects, writers: 2, generations: 1 }],
  },
  checkpoints: {
    small: [checkpoints, { ...checkpoints, features: ['checkpoints', 'abandon'] }],
    full: [
      { ...checkpoints, generations: 3, attempts: 3 },
      { ...checkpoints, generations: 1, collectors: 2, features: ['checkpoints', 'objects'] },
    ],
  },
  takeOver: { small: [takeOver], full: [{ ...takeOver, generations: 3, attempts: 3, wanted: [3] }] },
  quiet: {
    small: [quiet, { ...quiet, features: ['quiet', 'prune', 'objects', 'checkpoints'], wanted: [3] }, quietForget, quietRepack],
    full: [
      { ...quiet, collectors: 2 },
      { ...quietRepack, collectors: 2 },
    ],
  },
  rollback: {
    small: [{ ...rollback, generations: 1 }, rollbackRepacked],
    full: [
      rollback,
      { ...rollback, generations: 1, features: [...rollback.features, 'sleepers'] },
      { ...rollback, generations: 1, attempts: 2 },
      { ...rollbackRepacked, generations: 1, writers: 1 },
      { ...rollback, generations: 1, writers: 2 },
    ],
  },
  lost: {
    small: [lostDrop, lostRepacked, lostRollback],
    full: [
      lost,
      { ...lost, generations: 2, losses: 2 },
      { ...lost, generations: 2, attempts: 2, wrongReports: 1, features: [...lost.features, 'objects', 'pages'] },
      { ...lost, wrongReports: 1, features: [...lost.features, 'forget'] },
      { ...lost, collectors: 2, wrongReports: 1 },
      { ...lost, writers: 2, wanted: [1, 1] },
      { ...lost, wanted: [3], attempts: 2, features: [...lost.features, 'checkpoints', 'drop'] },
      { ...lostUnderWay, generations: 2, features: [...lostUnderWay.features, 'forget'] },
      { ...lostUnderWay, generations: 2, writers: 2, wanted: [1, 1], features: [...lostUnderWay.features, 'pending'] },
      { ...lostRepacked, generations: 2, wrongReports: 1 },
      { ...lostRollback, generations: 2, losses: 1, wrongReports: 1 },
      { ...lostRollback, writers: 1 },
    ],
  },
};

/** The least bounds in which each mistake shows. */
export const mistakes = {
  nameReuse: one,
  noCatalogue: one,
  minAge: one,
  staleIndex: { ...one, attempts: 2 },
  lazyRebase: { ...one, attempts: 2 },
  dedupCondemned: one,
  commitFirst: one,
  noPostCheck: one,
  blindPut: { ...one, collectors: 2 },
  listBeforeFence: one,
  noRemark: one,
  trustCreate: { ...one, collectors: 2 },
  pruneAll: one,
  pendingTables: { ...one, writers: 2, wanted: [2, 2] },
  indexBeforeCommits: one,
  orphansLate: one,
  holdsIgnored: forget,
  eagerHold: forget,
  staleMarks: forget,
  replacedBlindly: repack,
  replacedDropped: repack,
  copyUnlisted: repack,
  trustParent: repack,
  staleReader: { ...repack, writers: 0, features: [...repack.features, 'reader'] },
  readerOnce: objects,
  pendingDeleted: objects,
  tablesEarly: objects,
  checkpointsIgnored: checkpoints,
  supersededByInvalid: checkpoints,
  takeOverBlindly: takeOver,
  pruneUnconfirmed: { ...takeOver, condemn: 'any' },
  indexedOnly: quiet,
  evidenceIgnored: rollback,
  missingIgnored: rollbackRepacked,
  forgetEvidence: rollback,
  lineIgnored: rollback,
  gapAccepted: { ...rollback, features: ['rollback', 'objects', 'sleepers'] },
  oldListDeletes: rollback,
  lostIgnored: lostUnderWay,
  reportsIgnored: lost,
  reportsUnchecked: lostUnderWay,
  reportsEarly: { ...lostDrop, wrongReports: 0 },
  trustReports: { ...lostDrop, losses: 0 },
  failureSettles: lostUnderWay,
  lostForgotten: { ...lostUnderWay, writers: 2, wanted: [1, 1] },
  backUnmarked: { ...lostDrop, wrongReports: 0 },
  lostUnadopted: lostRollback,
};
