/** `lagan diff`: what differs between two snapshots. */
import type { Command } from 'commander';
import { type Context, contextOf } from '../shared/context.ts';
import type { Difference, Entry } from '../shared/engine.ts';
import { entryFields, pathFields } from '../shared/json.ts';
import { addExamples, addFilterOptions } from '../shared/options.ts';
import { openRepository } from '../shared/repository.ts';
import { formatCount, formatSize } from '../shared/sizes.ts';
import { type FilterOptions, filterOf, findSnapshot, parseSnapshotReference, pathInSnapshot } from '../shared/snapshots.ts';
import { textOfBytes } from '../shared/text.ts';

interface DiffOptions extends FilterOptions {
  readonly metadata: boolean;
}

const marks = { added: '+', removed: '-', modified: 'M', metadata: 'm', type: 'T' } as const;
const styles = { added: 'green', removed: 'red', modified: 'yellow', metadata: 'dim', type: 'magenta' } as const;

export function define(command: Command): void {
  addFilterOptions(command)
    .description(
      'Shows what differs between two snapshots: + added, - removed, M content modified, m only metadata (owner, mode, times, attributes), T of another type.',
    )
    .argument('<before>', 'latest~1, an id …')
    .argument('<after>', 'latest, an id …')
    .argument('[path]', 'only this folder and what is below')
    .option('--no-metadata', 'leave out what differs in metadata only')
    .action(async (before: string, after: string, path: string | undefined, _options: object, self: Command) =>
      run(contextOf(self), { before, after, path }, self.opts()),
    );
  addExamples(command, [
    ['lagan diff latest~1 latest', 'what the last backup brought'],
    ['lagan diff 3f2a91c0 latest /etc --no-metadata', 'changed contents of a folder'],
  ]);
}

async function run(
  context: Context,
  operands: { before: string; after: string; path: string | undefined },
  options: DiffOptions,
): Promise<void> {
  const [before, after] = [parseSnapshotReference(operands.before), parseSnapshotReference(operands.after)];
  const opened = await openRepository(context, 'metadata');
  const settings = { filter: filterOf(options, context), signal: context.signal };
  const [older, newer] = [await findSnapshot(opened, before, settings), await findSnapshot(opened, after, settings)];
  const path = operands.path ?? after.path ?? before.path;
  const totals = new Totals();
  const differences = opened.engine.diffSnapshots(opened.repository, older, newer, {
    ...(path !== undefined && { path: pathInSnapshot(path) }),
    signal: context.signal,
  });
  for await (const difference of differences) {
    if (difference.change === 'metadata' && !options.metadata) continue;
    totals.add(difference);
    await print(context, difference);
  }
  await context.output.json({ type: 'summary', before: older.id, after: newer.id, ...totals.fields });
  context.output.note(totals.text);
}

async function print({ output }: Context, { change, path, before, after }: Difference): Promise<void> {
  if (output.isJson) {
    return output.json({
      type: 'difference',
      change,
      ...pathFields(path),
      before: before ? entryFields(before) : null,
      after: after ? entryFields(after) : null,
    });
  }
  await output.write(`${output.style(styles[change], `${marks[change]}  ${output.name(textOfBytes(path))}`)}\n`);
}

/** What is said at the end. */
class Totals {
  readonly #counts = { added: 0, removed: 0, modified: 0, metadata: 0, type: 0 };
  #addedBytes = 0;
  #removedBytes = 0;

  add({ change, before, after }: Difference): void {
    this.#counts[change]++;
    if (change === 'metadata') return;
    this.#removedBytes += sizeOf(before);
    this.#addedBytes += sizeOf(after);
  }

  get fields(): object {
    const { type: typeChanged, ...counts } = this.#counts;
    return { ...counts, typeChanged, addedBytes: this.#addedBytes, removedBytes: this.#removedBytes };
  }

  get text(): string {
    const { added, removed, modified, metadata, type } = this.#counts;
    const counts = `${formatCount(added)} added, ${formatCount(removed)} removed, ${formatCount(modified)} modified, ${formatCount(metadata)} with other metadata, ${formatCount(type)} of another type`;
    return `${counts}; ${formatSize(this.#addedBytes)} came, ${formatSize(this.#removedBytes)} went`;
  }
}

function sizeOf(entry: Entry | undefined): number {
  return entry?.type === 'file' ? entry.size : 0;
}
