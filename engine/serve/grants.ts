/** Who may do what: the roles of spec/README.md ("Object names"), as docs/object-stores.md has them in a table. */
import { isPathPart } from '../storage/mod.ts';

/** `writer` backs up, `reader` restores, `collector` maintains, `owner` makes the repository and keeps its keys, marks and holds. */
export const roles = ['writer', 'reader', 'collector', 'owner'] as const;
export type Role = (typeof roles)[number];

export interface Quota {
  /** Of all objects that the writer has stored and that are still there. */
  readonly bytes?: number | undefined;
  readonly objects?: number | undefined;
}

export interface Grant {
  readonly name: string;
  readonly roles: readonly Role[];
  /** The parts of the path of the one repository that it is for; none: the place that is served itself. */
  readonly repository: readonly string[];
  readonly quota: Quota;
}

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text);
}

/** Names of writers are names of files, too. */
export function isGrantName(text: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._@-]{0,63}$/.test(text);
}

/** `laptops/anna` as parts; undefined if it is no path of a repository. */
export function parseRepositoryPath(text: string): string[] | undefined {
  const parts = text.split('/').filter((part) => part !== '');
  return parts.every(isPathPart) && parts.length <= 8 ? parts : undefined;
}

/** What a server that only lets things be added leaves of someone's roles: who could delete may still read. */
export function appendOnly(grant: Grant): Grant {
  const kept = grant.roles.filter((role) => role === 'writer' || role === 'reader');
  const readsAll = grant.roles.some((role) => role !== 'writer');
  return { ...grant, roles: readsAll && !kept.includes('reader') ? [...kept, 'reader'] : kept };
}

const creators: readonly (readonly [prefix: string, role: Role])[] = [
  ['writer/', 'writer'],
  ['collector/', 'collector'],
  ['collector/roots/', 'owner'],
  ['owner/', 'owner'],
  ['probe/', 'owner'],
];

const deleters: readonly (readonly [prefix: string, role: Role])[] = [
  ['writer/', 'collector'],
  ['collector/', 'collector'],
  ['owner/deletions/', 'collector'],
  ['owner/annotations/', 'collector'],
  ['owner/', 'owner'],
  ['collector/roots/', 'owner'],
  ['probe/', 'owner'],
];

export function mayCreate(grant: Grant, name: string): boolean {
  return creators.some(([prefix, role]) => name.startsWith(prefix) && grant.roles.includes(role));
}

export function mayDelete(grant: Grant, name: string): boolean {
  return deleters.some(([prefix, role]) => name.startsWith(prefix) && grant.roles.includes(role));
}

/** A writer looks at what is there (index tables, snapshots, folders); the contents of files it never needs. */
export function mayReadData(grant: Grant): boolean {
  return grant.roles.some((role) => role !== 'writer');
}
