/** `lagan import`: snapshots of what other programs, or other repositories, have kept. */
import { tmpdir } from 'node:os';
import { type Command, Option } from 'commander';
import { borg } from '../peers/borg.ts';
import { chosenSnapshots, importFromPeer, type PeerImportOptions } from '../peers/import-peer.ts';
import { kopia } from '../peers/kopia.ts';
import type { Peer } from '../peers/peer.ts';
import { restic } from '../peers/restic.ts';
import { type Context, contextOf } from '../shared/context.ts';
import { importTar, type TarImportOptions } from '../shared/import-tar.ts';
import { addExamples, addFilterOptions, countOption, listOption, timeOption } from '../shared/options.ts';

export function define(command: Command): void {
  command.description(
    'Makes snapshots of what kopia, restic or borg have in their repositories, or of a tar archive, with their times, hosts, users, paths, tags and descriptions. What was imported before is passed over.',
  );
  definePeer(command, restic, [
    ['lagan import restic --from /mnt/disk/restic --dry-run', 'what would be imported'],
    ['RESTIC_PASSWORD_FILE=pw lagan import restic --from /mnt/disk/restic', 'all snapshots that are not there yet'],
    ['lagan import restic --host web1 --latest 3', 'the latest three of each path of one host'],
  ]);
  definePeer(command, kopia, [
    ['lagan import kopia', 'all of the repository that kopia is connected to'],
    ['lagan import kopia --from ~/.config/kopia/other.config --latest 1', 'another one; the latest of each source'],
  ]);
  definePeer(command, borg, [
    ['BORG_PASSCOMMAND="pass borg" lagan import borg --from ssh://host/./repo', 'all archives that are not there yet'],
    ['lagan import borg web1-2026-11-20 --from /mnt/borg', 'one archive'],
  ]);
  defineTar(command);
}

function definePeer(above: Command, peer: Peer, examples: [string, string][]): void {
  const { name, placeVariable, secretVariables } = peer;
  const command = above
    .command(name)
    .summary(`import from a repository of ${name}`)
    .description(
      `Imports snapshots of a repository of ${name}, by its own program on the PATH: each is restored into a scratch folder, backed up from there, and the folder is taken away. Secrets come from ${name}'s own environment variables (${secretVariables.join(', ')}).`,
    )
    .argument('[snapshots...]', `ids${name === 'borg' ? ' or names' : ''} of ${name} (default: all that the options leave)`);
  addFilterOptions(command)
    .option('--from <place>', `where the repository is: as ${placeVariable}${name === 'kopia' ? ' (its configuration file)' : ''}`)
    .addOption(countOption('--latest <count>', 'only so many of each host and path', { minimum: 1, maximum: 1_000_000 }))
    .option('--again', 'also what was imported before')
    .addOption(new Option('--scratch-dir <folder>', 'where they are restored to (default: TMPDIR, or /tmp)'))
    .option('--no-space-check', 'do not ask whether that has enough space')
    .option('-n, --dry-run', 'only list what would be imported')
    .action(async (snapshots: string[], _options: object, self: Command) => {
      const context = contextOf(self);
      await importFromPeer(context, peer, { ...peerOptions(context, self.opts()), chosen: chosenSnapshots(snapshots) });
    });
  addExamples(command, examples);
}

function peerOptions(context: Context, options: PeerImportOptions): PeerImportOptions {
  return {
    ...options,
    scratchDir: options.scratchDir === undefined ? context.io.env.TMPDIR || tmpdir() : context.resolve(options.scratchDir),
  };
}

function defineTar(above: Command): void {
  const command = above
    .command('tar')
    .summary('import a tar archive')
    .description(
      'Makes a snapshot of a tar archive. Of one that lagan export has made it is an equal snapshot; of another the options say host, time and tags. Archives that are compressed are decompressed on the way.',
    )
    .argument('<archive>', 'the file, or - for standard input')
    .option('--host <name>', 'name of the host (default: that of the archive, or of this machine)')
    .addOption(timeOption('--time <time>', 'time of the snapshot (default: that of the archive, or now)'))
    .addOption(listOption('--tag <tag>', 'tag of the snapshot, besides those of the archive (may be repeated)'))
    .option('--description <text>', 'description of the snapshot')
    .option('--as-path <path>', 'folder of the snapshot that the archive is put into (default: /)')
    .option('--again', 'also if it was imported before')
    .option('-n, --dry-run', 'only say what would be new')
    .action(async (archive: string, _options: object, self: Command) =>
      importTar(contextOf(self), archive, self.opts() as TarImportOptions),
    );
  addExamples(command, [
    ['lagan import tar web1.tar', 'what lagan export has written'],
    ['zstd -dc old.tar.zst | lagan import tar - --as-path /srv --time 2019-05-01', 'an old archive'],
  ]);
}
