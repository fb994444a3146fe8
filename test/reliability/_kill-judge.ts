/** What must hold of the repositories of a kill run, once all processes are dead. */
import fs from 'node:fs';
import path from 'node:path';
import { check, type FindingCode } from '../../engine/check/mod.ts';
import { listSnapshots, openRepository, originOf, type Repository, type SnapshotInfo } from '../../engine/repository/mod.ts';
import { restore } from '../../engine/restore/mod.ts';
import type { Storage } from '../../engine/storage/mod.ts';
import { isLaganError } from '../../repo-format/mod.ts';
import { contentsBelow, differenceOf } from '../simulation/source-tree.ts';
import { passwordSecret } from './_caretaker-keys.ts';
import { contentsOf, type Expected, type Version } from './_kill-knowledge.ts';

export interface Judgement {
  restored: number;
  readonly faults: string[];
}

/** What was acknowledged and not forgotten is there, as it was. `folder`: scratch, with the writers' sources. */
export async function judgeSnapshots(
  repository: Repository,
  expected: readonly Expected[],
  { folder, judgement }: { folder: string; judgement: Judgement },
): Promise<void> {
  const listed = await listSnapshots(repository);
  for (const { id, version, rewritten } of expected) {
    const info = listed.find((candidate) => candidate.id === id);
    const made = rewritten && listed.find(({ snapshot }) => originOf(snapshot) === id);
    const fault =
      info !== undefined
        ? await faultOf(repository, info, { version, folder })
        : made === undefined
          ? 'it is gone'
          : await faultOf(repository, made, { version: rewritten!, folder });
    if (fault === undefined) judgement.restored++;
    else judgement.faults.push(`${id} in ${repository.storage.location}: ${fault}`);
  }
}

async function faultOf(
  repository: Repository,
  info: SnapshotInfo,
  { version, folder }: { version: Version; folder: string },
): Promise<string | undefined> {
  const target = path.join(folder, 'target');
  fs.rmSync(target, { recursive: true, force: true });
  const { errors } = await restore(repository, info, { target, from: path.join(folder, `source-${version.writer}`), workers: 1 });
  return errors[0]?.message ?? differenceOf(contentsBelow(target), contentsOf(version));
}

/** All data is read. `mayBe`: damage that is known; `notes` count, too, in the end. */
export async function judgeObjects(
  repository: Repository,
  { judgement, mayBe = [], isEnd }: { judgement: Judgement; mayBe?: readonly FindingCode[]; isEnd: boolean },
): Promise<void> {
  const { errors, notes, complete } = await check(repository, { readData: true, workers: 2 });
  const found = [...errors, ...(isEnd ? notes : [])].filter(({ code }) => !mayBe.includes(code));
  const where = repository.storage.location;
  for (const { code, message } of found) judgement.faults.push(`${code} in ${where}: ${message}`);
  if (!complete && mayBe.length === 0) judgement.faults.push(`the check of ${where} is not complete`);
}

/** One of the passwords opens the repository; if it is one, the one before it does not. */
export async function judgePasswords(storage: Storage, passwords: readonly number[], judgement: Judgement): Promise<void> {
  const opens = async (number: number): Promise<boolean> => {
    try {
      await openRepository(storage, { secret: passwordSecret(number), mode: 'read' });
      return true;
    } catch (error) {
      if (!isLaganError(error, 'wrong-key')) throw error;
      return false;
    }
  };
  const opening = await Promise.all(passwords.map(opens));
  if (!opening.includes(true)) judgement.faults.push(`none of passwords ${passwords} opens the repository`);
  if (passwords.length === 1 && passwords[0]! > 0 && (await opens(passwords[0]! - 1)))
    judgement.faults.push(`password ${passwords[0]! - 1} was changed and opens the repository`);
}
