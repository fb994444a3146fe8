/** What the commands of a sidecar are told of the volumes of its pod. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import type { MountedVolume, SidecarPod } from '../../../k8s/fronts/mod.ts';
import type { Context } from '../../shared/context.ts';
import { usageError } from '../../shared/errors.ts';
import { listOption, workersOption } from '../../shared/options.ts';

export interface VolumeOptions {
  readonly volume?: string[];
  readonly claim?: string[];
  readonly cluster?: string;
  readonly namespace?: string;
  readonly workload?: string;
  readonly workers?: number;
}

/** Where Kubernetes tells a container its namespace, unless the pod wants no token. */
const namespaceFile = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

export function addVolumeOptions(command: Command): Command {
  return command
    .addOption(listOption('--volume <name=path>', 'a volume of the pod, and where it is mounted or is a device (may be repeated)'))
    .addOption(listOption('--claim <name=claim>', 'the claim of a volume, so that it is known again by it (may be repeated)'))
    .option('--workload <kind/name>', 'what made the pod, such as StatefulSet/db (LAGAN_WORKLOAD)')
    .option('--namespace <name>', 'of the pod (LAGAN_NAMESPACE; default: what the container is told of its service account)')
    .option('--cluster <name>', 'tells clusters apart that share a repository (LAGAN_CLUSTER; default: kubernetes)')
    .addOption(workersOption('threads that read and compress'));
}

/** What is said of the volumes, checked before anything is begun. */
export async function volumesOf(context: Context, options: VolumeOptions): Promise<{ pod: SidecarPod; volumes: MountedVolume[] }> {
  const { mountedVolume } = await import('../../../k8s/fronts/mod.ts');
  const paths = pairs(options.volume ?? [], '--volume', 'data=/data');
  if (paths.size === 0) throw usageError('there is no volume to work on', 'name one by --volume, such as --volume data=/data');
  const claims = pairs(options.claim ?? [], '--claim', 'data=data-db-0');
  const stray = [...claims.keys()].find((name) => !paths.has(name));
  if (stray !== undefined) throw usageError(`--claim: there is no volume ${stray}`, `--volume names ${[...paths.keys()].join(', ')}`);
  const pod = await podOf(context, options);
  const unclaimed = [...paths.keys()].find((name) => !claims.has(name));
  if (unclaimed !== undefined && /^(statefulset|daemonset)\//i.test(pod.workload)) throw undistinguished(unclaimed, pod);
  const volumes = [...paths].map(([name, path]) => mountedVolume(name, context.resolve(path), claims.get(name) ?? null));
  return { pod, volumes: await Promise.all(volumes) };
}

/** Each pod of a StatefulSet or DaemonSet has data of its own. */
function undistinguished(volume: string, { workload }: SidecarPod): Error {
  return usageError(
    `which pod of ${workload} does volume ${volume} belong to?`,
    `name its claim, --claim ${volume}=${volume}-$(POD_NAME); without a claim, --workload Pod/$(POD_NAME) in the place of ${workload}`,
  );
}

function pairs(texts: readonly string[], option: string, example: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const text of texts) {
    const [, name, value] = /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)=(.+)$/s.exec(text) ?? [];
    if (name === undefined || value === undefined)
      throw usageError(`${option}: '${text}' is not NAME=VALUE`, `give for example ${example}`);
    if (found.has(name)) throw usageError(`${option}: ${name} is named twice`);
    found.set(name, value);
  }
  return found;
}

async function podOf({ io }: Context, options: VolumeOptions): Promise<SidecarPod> {
  const workload = options.workload ?? io.env.LAGAN_WORKLOAD;
  if (!workload) throw usageError('whose volumes are they?', 'name what made the pod: --workload StatefulSet/db');
  if (!/^[A-Za-z]+\/[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(workload))
    throw usageError(`--workload: '${workload}' is not KIND/NAME`, 'give for example StatefulSet/db');
  const namespace = options.namespace ?? (io.env.LAGAN_NAMESPACE || (await readFile(namespaceFile, 'utf8').catch(() => '')).trim());
  if (namespace === '') throw usageError('which namespace is it?', 'say --namespace, or set LAGAN_NAMESPACE from metadata.namespace');
  return { cluster: options.cluster ?? (io.env.LAGAN_CLUSTER || 'kubernetes'), namespace, workload };
}
