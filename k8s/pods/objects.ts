/** What is needed of the cluster's own objects, as the API server gives them. */

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly deletionTimestamp?: string;
}

export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly controller?: boolean;
}

export interface Pod {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly nodeName?: string;
    readonly volumes?: readonly PodVolume[];
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly ephemeralContainers?: readonly Container[];
    readonly securityContext?: { readonly fsGroup?: number };
  };
  readonly status?: { readonly phase?: string };
}

export interface Container {
  readonly name: string;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly volumeDevices?: readonly { readonly name: string; readonly devicePath: string }[];
}

/** One of the other fields says of which type it is. */
export interface PodVolume {
  readonly name: string;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  /** The claim that is made for the pod. */
  readonly ephemeral?: object;
  readonly hostPath?: { readonly path: string };
  readonly csi?: { readonly driver: string };
  readonly [type: string]: unknown;
}

export interface Claim {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly volumeName?: string;
    readonly volumeMode?: 'Filesystem' | 'Block';
    readonly storageClassName?: string;
    readonly accessModes?: readonly string[];
    readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  };
  readonly status?: { readonly phase?: string };
}

export interface PersistentVolume {
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly hostPath?: { readonly path: string };
    readonly csi?: { readonly driver: string };
    readonly nfs?: object;
    readonly [type: string]: unknown;
  };
}
