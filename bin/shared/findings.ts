/** What is said of damage. */
import type { Context } from './context.ts';
import type { Finding } from './engine.ts';
import { pathFields } from './json.ts';
import { formatCountOf } from './sizes.ts';
import { shortId } from './snapshots.ts';
import { escapeMessage, textOfBytes } from './text.ts';

const listedPaths = 10;

/** Tells of a finding, with the snapshots and files that it hurts. */
export async function tellFinding({ output }: Context, finding: Finding): Promise<void> {
  const { severity, code, message, object = null, snapshots, paths, pathCount } = finding;
  await output.json({
    type: 'finding',
    severity,
    code,
    message,
    object,
    snapshots,
    paths: paths.map((path) => pathFields(path)),
    pathCount,
  });
  await output.line(`${severity === 'damage' ? output.style('red', 'damage:') : 'note:'} ${escapeMessage(message)}`);
  if (snapshots.length > 0) await output.line(`  hurts the snapshots ${snapshots.map(shortId).join(' ')}`);
  for (const path of paths.slice(0, listedPaths)) await output.line(`  ${output.name(textOfBytes(path))}`);
  const others = pathCount - Math.min(paths.length, listedPaths);
  if (others > 0)
    await output.line(`  and ${formatCountOf(others, 'other path')}${paths.length > listedPaths ? ' (--json lists more)' : ''}`);
}
