/** Pods and claims as an API server shows them, with what a test says. */
import type { ChooseOptions, Claim, PersistentVolume, Pod, PodVolume } from '../../../k8s/pods/mod.ts';

/** A running pod whose volumes are all mounted. */
export function podOf(
  volumes: readonly PodVolume[],
  changed: { metadata?: Partial<Pod['metadata']>; spec?: Partial<Pod['spec']>; phase?: string } = {},
): Pod {
  const volumeMounts = volumes.map(({ name }) => ({ name, mountPath: `/${name}` }));
  return {
    metadata: { name: 'db-0', namespace: 'shop', uid: 'pod-uid', ...changed.metadata },
    spec: { nodeName: 'node-a', volumes, containers: [{ name: 'app', volumeMounts }], ...changed.spec },
    status: { phase: changed.phase ?? 'Running' },
  };
}

export function claimOf(
  name: string,
  changed: { annotations?: Record<string, string>; phase?: string; spec?: Partial<Claim['spec']> } = {},
): Claim {
  return {
    metadata: { name, uid: `uid-${name}`, annotations: changed.annotations ?? {} },
    spec: { volumeName: `pv-${name}`, ...changed.spec },
    status: { phase: changed.phase ?? 'Bound' },
  };
}

export function optionsOf(
  mode: ChooseOptions['mode'],
  {
    claims = [],
    persistentVolumes = [],
    ...more
  }: { claims?: Claim[]; persistentVolumes?: PersistentVolume[] } & Partial<Pick<ChooseOptions, 'agentNodes' | 'allowedHostPaths'>> = {},
): ChooseOptions {
  const byName = <One extends { metadata: { name: string } }>(objects: One[]) =>
    new Map(objects.map((object) => [object.metadata.name, object]));
  return {
    mode,
    claims: byName(claims),
    persistentVolumes: byName(persistentVolumes),
    agentNodes: new Set(['node-a']),
    allowedHostPaths: [],
    ...more,
  };
}
