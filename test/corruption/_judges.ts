/** What becomes of a damaged object: does its decoder say so, and what do check and restore do with a repository that has it? */
import { argon2Sync } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { agree } from '../../engine/keys/secrets.ts';
import { check, isLaganError, listSnapshots, openRepository, restore, type Secret } from '../../engine/mod.ts';
import * as format from '../../repo-format/mod.ts';
import { type EveryKind, storeOf } from './_every-kind.ts';
import { ObjectOpener } from './_object-opener.ts';
import type { Objects } from './sample-repository.ts';

/** Opens single objects of the sample, of whatever bytes. */
export class FormatJudge {
  readonly #opener: ObjectOpener;
  readonly #packKinds = new Map<string, format.PackKind>();

  constructor({ objects, repository, secrets }: EveryKind) {
    const keys = new Map([...secrets].map(([name, secret]) => [name, { keyEncryptionKey: keyOfSlot(objects.get(name)!, name, secret) }]));
    this.#opener = new ObjectOpener(repository, keys);
    for (const [name, bytes] of objects) {
      if (format.parseObjectName(name)!.type !== 'pack') continue;
      this.#packKinds.set(name, format.parseSealedHeader(bytes).kind as format.PackKind);
    }
  }

  /** The code of the error, or undefined if the bytes are taken for the object. Anything but a LaganError is thrown. */
  codeOf(name: string, bytes: Uint8Array): format.ErrorCode | undefined {
    try {
      this.#opener.open(name, bytes, this.#packKinds.get(name) ?? 'pack');
      return undefined;
    } catch (error) {
      if (isLaganError(error)) return error.code;
      throw new Error(`${name}: ${error}`, { cause: error });
    }
  }
}

export interface Outcome {
  /** What opening, listing, check or restore said first, such as `check: malformed`; undefined: nothing. */
  readonly noticed: string | undefined;
  /** Paths of restored files that have other bytes than were backed up. There must be none, ever. */
  readonly wrong: readonly string[];
}

/** Opens the repository by the secret, checks it and restores all snapshots (or one, unless all is to be read). */
export async function outcomeOf(
  { contents }: Pick<EveryKind, 'contents'>,
  { objects, secret, scratch, readsAll }: { objects: Objects; secret: Secret; scratch: string; readsAll: boolean },
): Promise<Outcome> {
  const noticed: string[] = [];
  const wrong: string[] = [];
  const note = (step: string) => (error: unknown) => {
    if (!isLaganError(error)) throw new Error(`${step}: ${error}`, { cause: error });
    noticed.push(`${step}: ${error.code}`);
    return undefined;
  };
  const repository = await openRepository(await storeOf(objects), { secret, mode: 'read' }).catch(note('open'));
  if (repository === undefined) return { noticed: noticed[0], wrong };
  for (const { code } of repository.warnings) noticed.push(`open: ${code}`);
  const result = await check(repository, { readData: readsAll, workers: 1 }).catch(note('check'));
  for (const { code } of result?.errors ?? []) noticed.push(`check: ${code}`);
  const snapshots = (await listSnapshots(repository).catch(note('list'))) ?? [];
  for (const snapshot of readsAll ? snapshots : snapshots.slice(0, 1)) {
    const target = fs.mkdtempSync(path.join(scratch, 'restored-'));
    const restored = await restore(repository, snapshot, { target, workers: 1 }).catch(note('restore'));
    for (const { code } of restored?.errors ?? []) noticed.push(`restore: ${code}`);
    wrong.push(...wrongFiles(target, contents));
    fs.rmSync(target, { recursive: true });
  }
  return { noticed: noticed[0], wrong };
}

function wrongFiles(target: string, contents: ReadonlyMap<string, Buffer>): string[] {
  const wrong: string[] = [];
  for (const entry of fs.readdirSync(target, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const place = `/${path.relative(target, file)}`;
    if (entry.isFile() && contents.get(place)?.equals(fs.readFileSync(file)) !== true) wrong.push(place);
  }
  return wrong;
}

/** Of a slot that is whole. What is damaged is tried with this key, whatever cost of Argon2id it says. */
function keyOfSlot(bytes: Uint8Array, name: string, secret: Secret): Uint8Array {
  const slot = format.decodeKeySlot(bytes, name);
  if (slot.kind === 'key-file' && secret.kind === 'key-file') return format.keyFileEncryptionKey(secret.secret, slot.salt);
  if (slot.kind === 'recipient' && secret.kind === 'identity')
    return format.recipientEncryptionKey(agree(secret.privateKey, slot.ephemeral), slot);
  if (slot.kind !== 'password' || secret.kind !== 'password') throw new Error(`${name}: the secret is for another kind of slot`);
  const { salt: nonce, memoryKiB: memory, passes, lanes: parallelism } = slot.kdf;
  return argon2Sync('argon2id', { message: secret.password, nonce, memory, passes, parallelism, tagLength: 32 });
}
