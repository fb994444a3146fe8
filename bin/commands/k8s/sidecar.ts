/** `lagan k8s sidecar`: a container of the pod itself, with the pod's volumes. Needs no API server. */
import type { Command } from 'commander';
import { addExamples } from '../../shared/options.ts';
import { defineBackup } from './sidecar-backup.ts';
import { defineRestore } from './sidecar-restore.ts';

export function defineSidecar(command: Command): void {
  command.description('Volumes that are mounted into this container: beside the application that uses them, or before it starts.');
  addExamples(command, [
    ["lagan k8s sidecar backup --volume data=/data --workload Deployment/shop --schedule '30 2 * * *'", 'beside the application'],
    ['lagan k8s sidecar restore --volume data=/data --workload Deployment/shop', 'before it starts'],
  ]);
  defineBackup(command.command('backup').summary('back up volumes by a schedule'));
  defineRestore(command.command('restore').summary('restore volumes that are empty'));
}
