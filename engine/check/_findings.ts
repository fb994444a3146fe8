import {
  type DamageFinding,
  type ErrorCode,
  isLaganError,
  type LaganError,
  objectNames,
  type PackId,
  parseObjectName,
  type SnapshotId,
} from '../../repo-format/mod.ts';
import { checkLimits } from './_limits.ts';
import type { Finding, FindingCode } from './findings.ts';

/** What is said of a finding when it is found; what it hurts is found out later. */
export interface Problem {
  readonly severity?: Finding['severity'];
  readonly code: FindingCode;
  readonly message: string;
  readonly object?: string | undefined;
  readonly offset?: number | undefined;
}

/** Codes with which the world says that bytes are not what they were or not there; any other error ends the check. */
const damageCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'malformed',
  'authentication-failed',
  'limit-exceeded',
  'name-mismatch',
  'object-missing',
  'pack-missing',
  'chunk-missing',
  'repository-too-new',
  'not-found',
  'rolled-back',
  'io',
]);

/** Whether an error says that something is damaged, not that the check cannot go on. */
export function isDamage(error: unknown): error is LaganError {
  return isLaganError(error) && damageCodes.has(error.code);
}

/** A finding that still grows. */
export class OpenFinding implements Finding {
  readonly #severity: Finding['severity'];
  readonly code: FindingCode;
  readonly object: string | undefined;
  readonly offset: number | undefined;
  readonly pack: PackId | undefined;
  readonly #message: string;
  readonly #offsets = new Set<number>();
  #count = 0;
  /** A snapshot needs what is lost here, and another pack has it. */
  #spares = false;
  readonly #snapshots = new Set<SnapshotId>();
  readonly #paths = new Set<string>();

  constructor(problem: Problem) {
    const { severity = 'damage', code, message, object, offset } = problem;
    this.#severity = severity;
    this.code = code;
    this.object = object;
    this.offset = offset;
    this.#message = message;
    this.addCount(problem);
    const name = object === undefined ? null : parseObjectName(object);
    this.pack = name?.type === 'pack' ? name.id : undefined;
  }

  /** Counts the same problem once more, unless it was met at that offset before. Without offsets only chunks are counted. */
  addCount({ code, offset }: Problem): void {
    if (offset === undefined ? this.#count > 0 && code !== 'chunk-missing' : this.#offsets.has(offset)) return;
    if (offset !== undefined) this.#offsets.add(offset);
    this.#count++;
  }

  get count(): number {
    return this.#count;
  }

  /** Damage of a pack, of which other packs have all that snapshots need, hurts nothing. */
  get severity(): Finding['severity'] {
    return this.#isSpared ? 'note' : this.#severity;
  }

  get message(): string {
    const more = this.count > 1 ? ` (and ${this.count - 1} more like it)` : '';
    return `${this.#message}${more}${this.#isSpared ? '; all that snapshots need of it is in other packs, too' : ''}`;
  }

  get #isSpared(): boolean {
    return this.#spares && this.#snapshots.size === 0;
  }

  get snapshots(): readonly SnapshotId[] {
    return [...this.#snapshots];
  }

  get paths(): readonly Uint8Array[] {
    return [...this.#paths].slice(0, checkLimits.listedPaths).map((path) => new Uint8Array(Buffer.from(path, 'latin1')));
  }

  get pathCount(): number {
    return this.#paths.size;
  }

  hurts(snapshot: SnapshotId, path?: Uint8Array): void {
    this.#snapshots.add(snapshot);
    if (path !== undefined && this.#paths.size < checkLimits.countedPaths) this.#paths.add(Buffer.from(path).toString('latin1'));
  }

  /** Notes that something which is lost here is needed, and is in another pack. */
  spares(): void {
    this.#spares = true;
  }

  /** As a plain value. */
  close(): Finding {
    const { severity, code, message, object, offset, pack, count, snapshots, paths, pathCount } = this;
    return { severity, code, message, object, offset, pack, count, snapshots, paths, pathCount };
  }
}

/** Gathers findings: one for each code and object, however often it is met. */
export class Findings {
  /** False once there was something that could not be looked into, so that more may be wrong. */
  complete = true;
  readonly #byKey = new Map<string, OpenFinding>();
  readonly #onFinding: ((finding: Finding) => void) | undefined;
  #damageCount = 0;

  constructor(onFinding: ((finding: Finding) => void) | undefined) {
    this.#onFinding = onFinding;
  }

  /** Objects with damage so far. */
  get damageCount(): number {
    return this.#damageCount;
  }

  add(problem: Problem): OpenFinding {
    const key = `${problem.severity ?? 'damage'} ${problem.code} ${problem.object ?? problem.message}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      known.addCount(problem);
      return known;
    }
    return this.#open(key, problem);
  }

  /** The same for an error; one that says nothing about damage is thrown. */
  addError(error: unknown, { object }: { object?: string } = {}): OpenFinding {
    if (!isDamage(error)) throw error;
    const { code, message, offset } = error;
    return this.add({ code: code === 'not-found' ? 'object-missing' : code, message, object: error.object ?? object, offset });
  }

  /** Objects below `prefix` whose names are none of a repository. */
  addForeign(prefix: string, names: readonly string[]): void {
    const message = `${names.length} objects below ${prefix} have names that are none of a repository, such as ${names[0]}: they are left alone`;
    this.add({ severity: 'note', code: 'litter', message, object: names[0] });
  }

  /** {@link addError} for what may have been told before: it is not counted again. */
  addErrorOnce(error: LaganError): void {
    const known = this.#byKey.get(`damage ${error.code} ${error.object ?? error.message}`);
    if (known === undefined) this.addError(error);
  }

  /** What a report says of damaged index tables of sessions, so that the next maintenance does without them: no pack is at fault. */
  damagedTables(): DamageFinding[] {
    return [...this.#byKey.values()].flatMap(({ object = '', code }) =>
      parseObjectName(object)?.type === 'session-index' ? [{ object, pack: null, chunks: [], kind: code as ErrorCode }] : [],
    );
  }

  close(): { errors: Finding[]; notes: Finding[] } {
    const all = [...this.#byKey.values()].map((finding) => finding.close());
    return { errors: all.filter(({ severity }) => severity === 'damage'), notes: all.filter(({ severity }) => severity === 'note') };
  }

  #open(key: string, problem: Problem): OpenFinding {
    const finding = new OpenFinding(problem);
    if (finding.severity === 'damage') this.#damageCount++;
    if (this.#byKey.size < checkLimits.findings) this.#byKey.set(key, finding);
    else this.complete = false;
    this.#onFinding?.(finding.close());
    return finding;
  }
}

/** What is wrong with a pack that is not in the store. */
export function packMissing(pack: PackId, who: string): Problem {
  const object = objectNames.pack(pack);
  return { code: 'pack-missing', message: `${object} is not in the repository, but ${who}`, object };
}
