/** Kinds of metadata that the system refused at a restore, as data and in words. */
import type { RestoreResult } from './engine.ts';
import { pathFields } from './json.ts';
import { formatCountOf } from './sizes.ts';
import { escapeText, textOfBytes } from './text.ts';

type NotRestored = RestoreResult['notRestored'][number];

export function notRestoredFields({ kind, count, example, reason }: NotRestored): object {
  return { kind, count, reason, example: pathFields(example) };
}

export function notRestoredText({ kind, count, example, reason }: NotRestored): string {
  return `not restored: ${kind} of ${formatCountOf(count, 'entry', 'entries')} such as ${escapeText(textOfBytes(example))} (${reason})`;
}
