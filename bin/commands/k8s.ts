/** `lagan k8s`: volumes of pods. Each subcommand is a file of the folder of that name. */
import type { Command } from 'commander';
import { addExamples } from '../shared/options.ts';
import { defineSidecar } from './k8s/sidecar.ts';

export function define(command: Command): void {
  command.description('Volumes of pods in a Kubernetes cluster.');
  addExamples(command, [
    ["lagan k8s sidecar backup --volume data=/data --workload Deployment/shop --schedule '30 2 * * *'", 'in a container of the pod'],
    ['lagan k8s sidecar restore --volume data=/data --workload Deployment/shop', 'before the application starts'],
  ]);
  defineSidecar(command.command('sidecar').summary('volumes that are mounted into this container'));
}
