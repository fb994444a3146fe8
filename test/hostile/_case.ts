/** What a hostile repository is: sealed with the right keys by somebody who has them, such as a malicious writer or another tenant. */
import { randomBytes } from 'node:crypto';
import type { Secret } from '../../engine/mod.ts';
import * as format from '../../repo-format/mod.ts';
import { emptySnapshot, type Forge, type ForgedBlock } from '../spec/_forge.ts';
import { entryFields } from '../spec/entry-fields.ts';

export interface HostileCase {
  readonly name: string;
  /**
   * The code that some operation must give. `harmless`: none need complain, but each must end, leave the machine its memory, and write nothing beside the target;
   * `unfolds`: the same, and a walk is longer than anybody waits for: it is cut.
   */
  readonly expect: format.ErrorCode | readonly format.ErrorCode[] | 'harmless' | 'unfolds';
  /** Default: the key file that the repository was made with. */
  readonly secret?: Secret;
  readonly build: (forge: Forge) => Promise<unknown>;
}

export const chunk = new TextEncoder().encode('the bytes of a chunk');
export const time = { seconds: 1_700_000_000, nanoseconds: 0 };
const common = { ...entryFields, mtime: time, ctime: time };

export const textBytes = (text: string) => new TextEncoder().encode(text);

/** A file's entry; by default it is empty. */
export function fileEntry(
  name: string | Uint8Array,
  { content = format.noContent, ...rest }: Partial<format.FileEntry> = {},
): format.FileEntry {
  const size = content.form === 'inline' ? content.extents.reduce((sum, { length }) => sum + length, 0) : 0;
  return { ...common, name: bytesOf(name), type: 'file', size, content, ...rest };
}

export function folderEntry(
  name: string | Uint8Array,
  node: format.NodeReference | null,
  rest: Partial<format.DirectoryEntry> = {},
): format.DirectoryEntry {
  return { ...common, mode: 0o755, name: bytesOf(name), type: 'directory', node, filesBelow: 1, bytesBelow: 1, ...rest };
}

export function linkEntry(name: string, target: string | Uint8Array): format.SymlinkEntry {
  return { ...common, name: bytesOf(name), type: 'symlink', target: bytesOf(target) };
}

export const deviceEntry = (name: string): format.DeviceEntry => ({
  ...common,
  name: bytesOf(name),
  type: 'character-device',
  major: 1,
  minor: 3,
});

export const directory = (items: readonly format.Entry[]): Uint8Array => format.encodeNode({ kind: 'directory', height: 0, items });

/** A snapshot whose top folder is this node. */
export async function snapshotOfNode(
  forge: Forge,
  node: Uint8Array,
  { packs = [], change = {} }: { packs?: readonly format.PackId[]; change?: Partial<format.Snapshot> } = {},
): Promise<void> {
  const [tree] = await forge.nodes([node]);
  await snapshotOfTree(forge, tree!, { packs, change });
}

/** A snapshot of that tree; it lists the packs, and that of the tree. */
export async function snapshotOfTree(
  forge: Forge,
  tree: format.NodeReference,
  { packs = [], change = {} }: { packs?: readonly format.PackId[]; change?: Partial<format.Snapshot> } = {},
): Promise<void> {
  const items = [...new Set([tree.pack, ...packs])].sort();
  const [list] = await forge.nodes([format.encodeNode({ kind: 'pack-list', height: 0, items })]);
  await snapshotOf(forge, { tree, packs: { ...list!, height: 0, count: items.length }, listPacks: [list!.pack], ...change });
}

/** A snapshot object as it is, valid by itself. */
export async function snapshotOf(forge: Forge, change: Partial<format.Snapshot>): Promise<format.Snapshot> {
  const session = format.idFromBytes<format.SessionId>(randomBytes(16));
  const snapshot = { ...emptySnapshot(session), ...change };
  await forge.seal(format.objectNames.snapshot(0, session), 'snapshot', format.encodeSnapshot(snapshot));
  return snapshot;
}

/** A snapshot with the file `f`, whose content is the chunk; it lies in such a block, and the pack says such contents of it. */
export async function snapshotOfBlock(
  forge: Forge,
  block: ForgedBlock,
  { contents, length = chunk.length }: { contents?: Uint8Array; length?: number } = {},
): Promise<void> {
  const pack = await forge.pack('pack', [block], { contents });
  const name = block.names?.[0] ?? forge.nameOf(chunk, 'pack');
  const extents: format.Extent[] = [{ kind: 'data', length, name, pack }];
  await snapshotOfNode(forge, directory([fileEntry('f', { content: { form: 'inline', extents } })]), { packs: [pack] });
}

/** An id of a pack that is to be made, so that what is in the pack can name it. */
export function plannedPack(): format.PackId {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return format.idFromBytes(bytes);
}

/** The root that follows the newest one of a new repository. */
export async function nextRoot(forge: Forge, change: Partial<format.Root>): Promise<void> {
  const root: format.Root = {
    number: 1,
    nonce: randomBytes(16),
    previous: null,
    generation: 1,
    floor: 0,
    phase: 'open',
    pastFloor: 0,
    baseIndex: null,
    catalogue: null,
    lost: null,
    condemned: null,
    doomed: null,
    ...change,
  };
  await forge.seal(format.objectNames.root(1), 'root', format.encodeRoot(root));
}

function bytesOf(name: string | Uint8Array): Uint8Array {
  return typeof name === 'string' ? textBytes(name) : name;
}
