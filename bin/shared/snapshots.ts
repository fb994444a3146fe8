/** How snapshots are named on the command line, and shown to people. */
import type { Context } from './context.ts';
import type { Engine, Repository, SnapshotFilter, SnapshotInfo } from './engine.ts';
import { usageError } from './errors.ts';
import { bytesOfText, textOfBytes } from './text.ts';
import { formatTime } from './times.ts';

/** `latest`, `latest~2`, an id or its beginning; with a path of the snapshot after a colon. */
export interface SnapshotReference {
  readonly snapshot: string;
  readonly path: string | undefined;
}

export interface FilterOptions {
  readonly host?: string;
  readonly path?: string[];
  readonly tag?: string[];
}

/** Understands `ID`, `ID:PATH`, `latest~2:PATH`. */
export function parseSnapshotReference(text: string): SnapshotReference {
  const [, snapshot, path] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  if (!snapshot || !/^(latest(~\d{1,9})?|[0-9a-f]{4,32})$/i.test(snapshot)) {
    throw usageError(
      `'${text}' names no snapshot`,
      'valid are latest, latest~2, an id of `lagan snapshots` or at least 4 digits of it, each with or without :PATH',
    );
  }
  return { snapshot: snapshot.toLowerCase(), path: path || undefined };
}

/** True if the text could only be the name of a snapshot: an option's place may hold a path as well. */
export function looksLikeSnapshot(text: string): boolean {
  return /^(latest(~\d+)?|[0-9a-f]{4,32})(:|$)/i.test(text);
}

export function filterOf(options: FilterOptions, context: Context): SnapshotFilter {
  return {
    ...(options.host !== undefined && { host: options.host }),
    ...(options.tag?.length && { tags: options.tag }),
    ...(options.path?.length && { paths: options.path.map((path) => bytesOfText(context.resolve(path))) }),
  };
}

/** Finds the snapshot that a reference names. */
export function findSnapshot(
  opened: { engine: Engine; repository: Repository },
  reference: SnapshotReference,
  options: { filter?: SnapshotFilter; signal: AbortSignal },
): Promise<SnapshotInfo> {
  return opened.engine.resolveSnapshot(opened.repository, reference.snapshot, options);
}

/** The first eight digits: enough to tell snapshots apart, and accepted everywhere. */
export function shortId(id: string): string {
  return id.slice(0, 8);
}

/** `3f2a91c0 of 2026-11-21 07:30:00, /srv/data on host`. */
export function describeSnapshot(info: SnapshotInfo): string {
  return `${shortId(info.id)} of ${formatTime(info.snapshot.started)}, ${info.snapshot.paths.map(textOfBytes).join(' ')} on ${info.snapshot.host}`;
}

/** An absolute path inside a snapshot, as bytes: without '.', '..' and repeated slashes. */
export function pathInSnapshot(text: string): Uint8Array {
  const parts: string[] = [];
  for (const part of text.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return bytesOfText(`/${parts.join('/')}`);
}
