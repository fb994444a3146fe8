/**
 * Which volumes of a pod are backed up, and why the others are not: a pure function of what the cluster shows. Every volume that is not taken has a reason that a person is told, and so has
 * every name in an annotation that fits nothing.
 */
import { choiceOfClaim, namedVolumes } from './annotations.ts';
import type { Claim, PersistentVolume, Pod, PodVolume } from './objects.ts';
import { claimNameOf, hostPathOf, untakenTypeOf } from './volume-types.ts';

export interface ChooseOptions {
  /** `opt-in`: what annotations name; `opt-out`: everything but what they leave out. */
  readonly mode: 'opt-in' | 'opt-out';
  /** The claims of the pod's namespace, and persistent volumes, by name. */
  readonly claims: ReadonlyMap<string, Claim>;
  readonly persistentVolumes: ReadonlyMap<string, PersistentVolume>;
  /** The nodes on which an agent runs. */
  readonly agentNodes: ReadonlySet<string>;
  /** Paths of nodes that the cluster's administrator allows this namespace; what is below them, too. */
  readonly allowedHostPaths: readonly string[];
}

export interface TakenVolume {
  readonly volume: PodVolume;
  readonly claim: Claim | undefined;
  readonly persistentVolume: PersistentVolume | undefined;
}

export type SkipReason =
  | 'pod-not-running'
  | 'no-agent'
  | 'not-chosen'
  | 'left-out'
  | 'type-never-taken'
  | 'host-path'
  | 'not-mounted'
  | 'claim-missing'
  | 'claim-not-bound'
  | 'unknown-volume'
  | 'annotation-invalid';

export interface SkippedVolume {
  /** Its name in the pod, or the name that fits none. */
  readonly name: string;
  readonly reason: SkipReason;
  /** For people. */
  readonly message: string;
}

export interface ChosenVolumes {
  readonly taken: readonly TakenVolume[];
  readonly skipped: readonly SkippedVolume[];
}

export function chooseVolumes(pod: Pod, options: ChooseOptions): ChosenVolumes {
  const volumes = pod.spec.volumes ?? [];
  const taken: TakenVolume[] = [];
  const skipped: SkippedVolume[] = unknownNames(pod, volumes);
  for (const volume of volumes) {
    const candidate = candidateOf(pod, volume, options);
    const skip = reasonToSkip(pod, candidate, options);
    if (skip === undefined) taken.push(candidate);
    else skipped.push({ name: volume.name, ...skip });
  }
  return { taken, skipped };
}

type Skip = Pick<SkippedVolume, 'reason' | 'message'>;

function candidateOf(pod: Pod, volume: PodVolume, { claims, persistentVolumes }: ChooseOptions): TakenVolume {
  const claim = claims.get(claimNameOf(pod, volume) ?? '');
  return { volume, claim, persistentVolume: persistentVolumes.get(claim?.spec.volumeName ?? '') };
}

/** What was not meant to be taken comes first: nobody wants to hear of other reasons then. */
function reasonToSkip(pod: Pod, candidate: TakenVolume, options: ChooseOptions): Skip | undefined {
  return unchosen(pod, candidate, options) ?? untakeable(pod, candidate, options) ?? unreachable(pod, options);
}

function unchosen(pod: Pod, { volume, claim }: TakenVolume, { mode }: ChooseOptions): Skip | undefined {
  const named = namedVolumes(pod.metadata);
  const choice = claim && choiceOfClaim(claim.metadata);
  if (choice === 'invalid')
    return {
      reason: 'annotation-invalid',
      message: `the annotation lagan.dev/backup of claim ${claim!.metadata.name} is neither true nor false`,
    };
  if (choice === 'left out') return { reason: 'left-out', message: `claim ${claim!.metadata.name} is annotated lagan.dev/backup=false` };
  if (choice !== 'taken' && named.leftOut.has(volume.name))
    return { reason: 'left-out', message: 'an annotation of the pod leaves it out' };
  const isNamed = choice === 'taken' || named.taken.has(volume.name);
  const untaken = untakenTypeOf(volume);
  if (untaken !== undefined)
    return {
      reason: 'type-never-taken',
      message: `it is a ${untaken}, which the cluster keeps by itself${isNamed ? ', though an annotation names it' : ''}`,
    };
  // What an inline driver gives to a pod is often a secret: it must be named.
  if (volume.csi !== undefined && !isNamed)
    return {
      reason: 'not-chosen',
      message: `what the driver ${volume.csi.driver} gives to a pod alone is taken only if an annotation names it`,
    };
  return mode === 'opt-out' || isNamed ? undefined : { reason: 'not-chosen', message: 'no annotation names it' };
}

function untakeable(pod: Pod, { volume, claim, persistentVolume }: TakenVolume, { allowedHostPaths }: ChooseOptions): Skip | undefined {
  const claimName = claimNameOf(pod, volume);
  if (claimName !== undefined && claim === undefined) return { reason: 'claim-missing', message: `there is no claim ${claimName}` };
  if (claim !== undefined && claim.status?.phase !== 'Bound')
    return { reason: 'claim-not-bound', message: `claim ${claimName} is ${claim.status?.phase ?? 'not bound'}` };
  const hostPath = hostPathOf(volume, persistentVolume);
  if (hostPath !== undefined && !isAllowed(hostPath, allowedHostPaths))
    return {
      reason: 'host-path',
      message: `it is the path ${hostPath} of the node, which the cluster's administrator has not allowed for this namespace`,
    };
  if (!isMounted(pod, volume)) return { reason: 'not-mounted', message: 'no container mounts it' };
  return undefined;
}

function unreachable({ spec, status, metadata }: Pod, { agentNodes }: ChooseOptions): Skip | undefined {
  const phase = metadata.deletionTimestamp === undefined ? (status?.phase ?? 'unknown') : 'ending';
  if (phase !== 'Running') return { reason: 'pod-not-running', message: `its pod is ${phase}, not Running` };
  if (!agentNodes.has(spec.nodeName ?? '')) return { reason: 'no-agent', message: `no agent runs on node ${spec.nodeName}` };
  return undefined;
}

function isMounted({ spec }: Pod, { name }: PodVolume): boolean {
  const containers = [...spec.containers, ...(spec.initContainers ?? []), ...(spec.ephemeralContainers ?? [])];
  return containers.some(({ volumeMounts = [], volumeDevices = [] }) =>
    [...volumeMounts, ...volumeDevices].some((mount) => mount.name === name),
  );
}

/** Paths with a step `..` in them are below nothing. */
function isAllowed(path: string, allowed: readonly string[]): boolean {
  const steps = (text: string) => text.split('/').filter((step) => step !== '' && step !== '.');
  const wanted = steps(path);
  return !wanted.includes('..') && allowed.some((one) => one.startsWith('/') && steps(one).every((step, index) => wanted[index] === step));
}

/** Names in annotations of the pod that none of its volumes has. */
function unknownNames({ metadata }: Pod, volumes: readonly PodVolume[]): SkippedVolume[] {
  const { taken, leftOut } = namedVolumes(metadata);
  const known = new Set(volumes.map(({ name }) => name));
  const unknown = [...new Set([...taken, ...leftOut])].filter((name) => !known.has(name));
  const names = [...known].join(', ') || 'none';
  return unknown.map((name) => ({
    name,
    reason: 'unknown-volume',
    message: `an annotation of the pod names it, and the pod has no such volume (it has: ${names})`,
  }));
}
