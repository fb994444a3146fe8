import type { OwnerReference, Pod } from './objects.ts';

/**
 * What made a pod, as it is called when its pods have got other names: `Deployment/web`, `StatefulSet/db`, `CronJob/report`. A pod that nothing made is its own, `Pod/debug`.
 * Told by names alone: a ReplicaSet of a Deployment ends with the hash of its template, a Job of a CronJob with its minute.
 */
export function workloadOf({ metadata }: Pod): string {
  const owner = controllerOf(metadata.ownerReferences ?? []);
  if (owner === undefined) return `Pod/${metadata.name}`;
  const { kind, name } = owner;
  const hash = metadata.labels?.['pod-template-hash'];
  if (kind === 'ReplicaSet' && hash !== undefined && name.endsWith(`-${hash}`)) return `Deployment/${name.slice(0, -hash.length - 1)}`;
  const [, cronJob] = kind === 'Job' ? (/^(.+)-\d{8}$/.exec(name) ?? []) : [];
  return cronJob === undefined ? `${kind}/${name}` : `CronJob/${cronJob}`;
}

function controllerOf(owners: readonly OwnerReference[]): OwnerReference | undefined {
  return owners.find(({ controller }) => controller) ?? owners[0];
}
