/**
 * One step of a round trip in a process of its own, so that it can be an ordinary user's. Takes a JSON {@link Step} as its argument, prints
 * a JSON {@link StepResult}.
 */

import { closeSync } from 'node:fs';
import { backup, createRepository, openRepository, openStorage, resolveSnapshot, restore } from '../../engine/mod.ts';
import { openRoot } from '../../engine/system/mod.ts';
import { makeCases } from './make-cases.ts';
import { refusedKinds } from './refusals.ts';

export type Step =
  | { readonly action: 'make'; readonly folder: string; readonly outside: string }
  | { readonly action: 'backup'; readonly folder: string; readonly repository: string }
  | { readonly action: 'restore'; readonly folder: string; readonly repository: string; readonly target: string }
  | { readonly action: 'find what is refused'; readonly folder: string };

export interface StepResult {
  /** Names of the cases that were made. */
  readonly made?: string[];
  readonly leftOut?: { name: string; reason: string }[];
  /** What could not be read or restored: paths as latin1, with the reason. */
  readonly errors?: { path: string; message: string }[];
  /** Kinds of what could not be restored. */
  readonly notRestored?: string[];
  /** Kinds that the kernel refuses to this user. */
  readonly refused?: string[];
}

const secret = { kind: 'key-file', secret: new Uint8Array(32).fill(7) } as const;

if (process.argv[1] === import.meta.filename) process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]!))));

async function run(step: Step): Promise<StepResult> {
  switch (step.action) {
    case 'make':
      return runMake(step);
    case 'backup':
      return runBackup(step);
    case 'restore':
      return runRestore(step);
    case 'find what is refused':
      return { refused: refusedKinds(step.folder) };
  }
}

function runMake({ folder, outside }: Step & { action: 'make' }): StepResult {
  const [root, other] = [openRoot(folder), openRoot(outside)];
  const { made, leftOut } = makeCases(root, other);
  closeSync(root);
  closeSync(other);
  return { made: made.map(({ name }) => name), leftOut };
}

async function runBackup({ folder, repository }: Step & { action: 'backup' }): Promise<StepResult> {
  const storage = openStorage(repository);
  const opened = await createRepository(storage, { slots: [{ secret, label: 'fidelity' }] });
  const { errors } = await backup(opened, { paths: [folder] });
  await storage.close();
  return { errors: errors.map(plainError) };
}

async function runRestore({ folder, repository, target }: Step & { action: 'restore' }): Promise<StepResult> {
  const storage = openStorage(repository);
  const opened = await openRepository(storage, { secret, mode: 'read' });
  const snapshot = await resolveSnapshot(opened, 'latest');
  const { errors, notRestored } = await restore(opened, snapshot, { target, from: folder });
  await storage.close();
  return { errors: errors.map(plainError), notRestored: notRestored.map(({ kind }) => kind) };
}

function plainError({ path, message }: { path: Uint8Array; message: string }): { path: string; message: string } {
  return { path: Buffer.from(path).toString('latin1'), message };
}
