/** Where the kubelet has the volumes of a pod on its node. */
import fs from 'node:fs/promises';
import path from 'node:path';
import { LaganError } from '../../engine/mod.ts';
import { closeDescriptor, openBeneath, openRoot } from '../../engine/system/mod.ts';
import type { VolumePlace } from '../volumes/mod.ts';
import type { TakenVolume } from './choose.ts';
import type { Pod } from './objects.ts';
import { hostPathOf, isCsi } from './volume-types.ts';

/** The folders of kubelets that are known to be elsewhere, below the root of a node. */
export const kubeletPodFolders = [
  'var/lib/kubelet/pods',
  'opt/rke/var/lib/kubelet/pods',
  'var/lib/k0s/kubelet/pods',
  'var/nutanix/var/lib/kubelet/pods',
  'var/vcap/data/kubelet/pods',
] as const;

/** The node as this container sees it. */
export interface NodeFolders {
  /** The kubelet's folder of pods. */
  readonly pods: string;
  /** The root of the node's file system; null if this container has none of it: then paths of the node are out of reach. */
  readonly root: string | null;
}

export interface LocatedVolume {
  readonly place: VolumePlace;
  /** To be called when nothing is read or written there any more. */
  close(): void;
}

/**
 * The folder or device of a volume. The kubelet calls the folder of a volume after its plugin and its persistent volume, or its name in the pod; what a CSI driver mounts lies in a folder `mount` there. A path of
 * the node is opened through no symbolic link, and stays what it was when it was opened, whatever somebody puts in its place.
 *
 * Code: source-empty if it is not there, or there several times; unsupported for a path of the node that is out of reach.
 */
export async function locateVolume(node: NodeFolders, pod: Pod, taken: TakenVolume): Promise<LocatedVolume> {
  const hostPath = hostPathOf(taken.volume, taken.persistentVolume);
  return hostPath === undefined ? { place: await placeBelow(node.pods, pod, taken), close: () => {} } : openHostPath(node, hostPath);
}

async function placeBelow(podsFolder: string, pod: Pod, { volume, claim, persistentVolume }: TakenVolume): Promise<VolumePlace> {
  const isBlock = claim?.spec.volumeMode === 'Block';
  const folder = path.join(podsFolder, safeName(pod.metadata.uid ?? ''), isBlock ? 'volumeDevices' : 'volumes');
  const name = safeName(persistentVolume?.metadata.name ?? volume.name);
  const found: string[] = [];
  for (const plugin of await namesIn(folder)) {
    const candidate = path.join(folder, plugin, name);
    if (await exists(candidate)) found.push(candidate);
  }
  const [only] = found;
  if (only === undefined || found.length > 1) throw notOne(pod, volume.name, { folder, name, found });
  if (isBlock) return { kind: 'device', path: only };
  return { kind: 'folder', path: isCsi(volume, persistentVolume) ? path.join(only, 'mount') : only };
}

function openHostPath({ root }: NodeFolders, hostPath: string): LocatedVolume {
  const fields = { object: hostPath, hint: 'the chart mounts the root of the node for those paths that it allows' };
  if (root === null) throw new LaganError('unsupported', `the path ${hostPath} of the node is out of reach of this container`, fields);
  const rootFolder = openRoot(root);
  try {
    const relative = hostPath.split('/').filter((step) => step !== '' && step !== '.');
    const opened = openBeneath(rootFolder, Buffer.from(relative.join('/')), 'directory');
    return { place: { kind: 'folder', path: `/proc/self/fd/${opened}` }, close: () => closeDescriptor(opened) };
  } catch (cause) {
    const hint = 'it must be a folder, and no part of it a symbolic link';
    throw new LaganError('source-empty', `the path ${hostPath} of the node cannot be opened`, { cause, object: hostPath, hint });
  } finally {
    closeDescriptor(rootFolder);
  }
}

/** Names come from the API server; none of them leads elsewhere. */
function safeName(name: string): string {
  if (name !== '' && name !== '.' && name !== '..' && !name.includes('/')) return name;
  throw new LaganError('usage', `'${name}' is not the name of a pod or volume`, { found: name });
}

function notOne(
  { metadata }: Pod,
  volume: string,
  { folder, name, found }: { folder: string; name: string; found: readonly string[] },
): LaganError {
  const what = found.length === 0 ? `there is no folder ${name} of any plugin below ${folder}` : `there are several: ${found.join(', ')}`;
  return new LaganError(
    'source-empty',
    `volume ${volume} of pod ${metadata.namespace}/${metadata.name} was not found on this node: ${what}`,
    {
      object: folder,
      found: found.length,
      hint: `the agent needs the kubelet's folder of pods, usually one of /${kubeletPodFolders.join(', /')}, mounted with HostToContainer propagation`,
    },
  );
}

async function namesIn(folder: string): Promise<string[]> {
  return fs.readdir(folder).catch(absentAs<string[]>([]));
}

async function exists(file: string): Promise<boolean> {
  return fs.lstat(file).then(() => true, absentAs(false));
}

function absentAs<Value>(value: Value): (error: NodeJS.ErrnoException) => Value {
  return (error) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return value;
    throw error;
  };
}
