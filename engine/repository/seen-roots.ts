/**
 * The last root that this machine has seen of a repository, in the folder of the caches: one small file for each place. A store that was set back as a whole shows nothing of it, but to whoever
 * remembers more. What cannot be read or written is not remembered. Source: spec/root.md, ROOT-19 to ROOT-21.
 */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { equalBytes, fromHex, isLaganError, objectNames, type Root, toHex } from '../../repo-format/mod.ts';
import type { CallOptions } from '../storage/mod.ts';
import { contextOf } from './_context.ts';
import { readNumberedRoot } from './_numbered-root.ts';
import { type RollbackEvidence, rolledBack, type SeenRoot } from './_rolled-back.ts';
import { damageCodes } from './_stored-slots.ts';
import { recoveryDistance } from './limits.ts';
import type { Repository } from './repository.ts';
import { readRoot } from './roots.ts';

const folderName = 'roots';

/**
 * The repository, which knows of a root that was seen before if its store contradicts that: then whoever writes or collects stops, and `warnings` has it for who reads. Otherwise its root is
 * remembered. `folder`: of the caches.
 */
export async function withSeenRoot(repository: Repository, { folder, signal }: { folder: string } & CallOptions): Promise<Repository> {
  const { root } = repository;
  const file = fileOf(folder, repository);
  const seen = recall(file);
  const evidence = seen === undefined ? null : await contradiction(repository, { root, seen, signal });
  if (evidence !== null) return { ...repository, seenRoot: seen, warnings: [...repository.warnings, rolledBack(evidence)] };
  if (seen === undefined || seen.number < root.number) remember(file, root);
  return repository;
}

/** After a command that may have made roots: the newest is remembered. Codes: those of the storage. */
export async function rememberNewestRoot(repository: Repository, { folder, signal }: { folder: string } & CallOptions): Promise<void> {
  await withSeenRoot({ ...repository, root: await readRoot(repository, { signal }) }, { folder, signal });
}

/** What the root, or the store, says otherwise than the root that was seen before; null: nothing. */
export async function contradiction(
  repository: Repository,
  { root, seen, signal }: { root: Root; seen: SeenRoot } & CallOptions,
): Promise<RollbackEvidence | null> {
  const object = objectNames.root(seen.number);
  if (root.number < seen.number)
    return { object, message: `root ${seen.number} was seen from this machine before, and the newest is ${root.number}` };
  // The owner has recovered since: of what was before, nothing counts.
  if (root.number - seen.number >= recoveryDistance) return null;
  try {
    const there = root.number === seen.number ? root : await readNumberedRoot(contextOf(repository), seen.number, { signal });
    if (there === null || equalBytes(there.nonce, seen.nonce)) return null;
  } catch (error) {
    if (!isLaganError(error) || !damageCodes.has(error.code)) throw error;
  }
  return { object, message: `${object} is another one than was seen from this machine before` };
}

function fileOf(folder: string, { id, storage }: Repository): string {
  const name = createHash('sha256').update(`${id}\n${storage.location}`).digest('hex').slice(0, 32);
  return path.join(folder, folderName, `${name}.json`);
}

function recall(file: string): SeenRoot | undefined {
  try {
    const { number, generation, nonce } = JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>;
    if (!Number.isSafeInteger(number) || !Number.isSafeInteger(generation) || typeof nonce !== 'string') return undefined;
    return { number: number as number, generation: generation as number, nonce: fromHex(nonce) };
  } catch {
    return undefined;
  }
}

function remember(file: string, { number, generation, nonce }: SeenRoot): void {
  const temporary = `${file}.${process.pid}`;
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.writeFileSync(temporary, `${JSON.stringify({ number, generation, nonce: toHex(nonce) })}\n`, { mode: 0o600 });
    fs.renameSync(temporary, file);
  } catch {
    fs.rmSync(temporary, { force: true });
  }
}
