/** What a volume is in its cluster. */
import type { RestoreResult } from '../../engine/mod.ts';

/** Which volume it is: enough to know it again when its pod, its node or its claim is another one. */
export interface VolumeIdentity {
  /** A name that the administrator gave the cluster, or the UID of its namespace `kube-system`. */
  readonly cluster: string;
  readonly namespace: string;
  /** Null for a volume that belongs to a pod. */
  readonly claim: { /** Null where nobody could ask for it. */ readonly uid: string | null; readonly name: string } | null;
  /** What made the pod, `StatefulSet/db`; the pod itself, `Pod/db`, if nothing did. Null if no pod uses the claim. */
  readonly workload: string | null;
  /** Its name in the pod; null if no pod uses the claim. */
  readonly volume: string | null;
}

/** What it takes to make the claim again in a cluster that knows nothing of it. */
export interface VolumeManifest {
  readonly mode: 'Filesystem' | 'Block';
  /** As the claim asked for it, `10Gi`; undefined for a volume without a claim. */
  readonly size?: string | undefined;
  readonly storageClass?: string | undefined;
  readonly accessModes?: readonly string[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Of the pod. */
  readonly fsGroup?: number | undefined;
  /** Where containers have it: `app:/var/lib/data`. */
  readonly mounts?: readonly string[] | undefined;
}

/** Where the volume is, here and now. */
export type VolumePlace =
  | { readonly kind: 'folder'; readonly path: string }
  /** A block device, or a file that stands for one. */
  | { readonly kind: 'device'; readonly path: string };

export interface VolumeRestoreResult extends Pick<RestoreResult, 'errors' | 'notRestored' | 'durationMs'> {
  /** `errors` lists 1,000 at most. */
  readonly errorCount: number;
  /** Of content, restored. */
  readonly bytes: number;
  readonly files: number;
}
