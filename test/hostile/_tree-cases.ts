/** Trees that no writer makes: names, nodes that refer to each other, depth, links, attributes. */

import * as format from '../../repo-format/mod.ts';
import { concat, prefixed, svarint, text, u8, varint } from '../../spec/vectors/_vector.ts';
import { nodeParts, entry as rawEntry } from '../../spec/vectors/sources/_nodes.ts';
import type { Forge } from '../spec/_forge.ts';
import { noise } from '../spec/_noise.ts';
import {
  deviceEntry,
  directory,
  fileEntry,
  folderEntry,
  type HostileCase,
  linkEntry,
  plannedPack,
  snapshotOfNode,
  snapshotOfTree,
  textBytes,
} from './_case.ts';

const rawTypes = { file: 1, directory: 2, symlink: 3, fifo: 4 } as const;
const rawFields = {
  file: concat(varint(0), u8(0)),
  directory: concat(u8(0), varint(0), varint(0)),
  symlink: prefixed(text('../../outside')),
  fifo: text(''),
} as const;
type RawType = keyof typeof rawTypes;

const rawDirectory = (entries: readonly { name: Uint8Array; type: RawType }[]) => {
  const items = entries.map(({ name, type }) => rawEntry({ name, type: rawTypes[type], fields: rawFields[type] }));
  return concat(...nodeParts({ packs: [], items }).map(([, bytes]) => bytes));
};

const badNames: Readonly<Record<string, Uint8Array>> = {
  'that is empty': text(''),
  '.': text('.'),
  '..': text('..'),
  '../outside': text('../outside'),
  '/absolute': text('/lagan-hostile-absolute'),
  'a/b': text('a/b'),
  'a slash at the end': text('a/'),
  'NUL within': text('a\0b'),
  'NUL alone': text('\0'),
  'of 256 bytes': new Uint8Array(256).fill(0x61),
  'of 64 KiB': new Uint8Array(65_536).fill(0x61),
};

const nameCases: HostileCase[] = Object.entries(badNames).flatMap(([what, name]) =>
  (Object.keys(rawTypes) as RawType[]).map((type) => ({
    name: `name ${what}, of a ${type}`,
    expect: name.length > 255 ? 'limit-exceeded' : 'malformed',
    build: (forge: Forge) => snapshotOfNode(forge, rawDirectory([{ name, type }])),
  })),
);

const pairs: readonly (readonly [RawType, RawType])[] = [
  ['file', 'file'],
  ['symlink', 'directory'],
  ['directory', 'symlink'],
  ['symlink', 'file'],
  ['directory', 'file'],
  ['fifo', 'fifo'],
];
const orderCases: HostileCase[] = pairs.flatMap(([first, second]) => [
  {
    name: `one name twice: ${first} and ${second}`,
    expect: 'malformed' as const,
    build: (forge: Forge) =>
      snapshotOfNode(
        forge,
        rawDirectory([
          { name: text('a'), type: first },
          { name: text('a'), type: second },
        ]),
      ),
  },
  {
    name: `names that descend: ${first} and ${second}`,
    expect: 'malformed' as const,
    build: (forge: Forge) =>
      snapshotOfNode(
        forge,
        rawDirectory([
          { name: text('b'), type: first },
          { name: text('a'), type: second },
        ]),
      ),
  },
  {
    name: `one name in two leaves: ${first} and ${second}`,
    expect: 'malformed' as const,
    build: async (forge: Forge) => {
      const left = rawDirectory([{ name: text('a'), type: first }]);
      const right = rawDirectory([
        { name: text('a'), type: second },
        { name: text('b'), type: second },
      ]);
      const [one, other] = await forge.nodes([left, right]);
      await snapshotOfNode(forge, inner([one!, other!], ['a', 'b']), { packs: [one!.pack] });
    },
  },
]);

const oddNames = ['A', 'a', '...', ' ', '~', '-rf', '*', 'new\nline', '\u001b]0;title\u0007', '\ud83d\udc80', 'x'.repeat(255), '\\', '%00'];
const odd: HostileCase[] = [
  {
    name: 'names that are odd, but names',
    expect: 'harmless',
    build: (forge) => snapshotOfNode(forge, directory(sorted(oddNames.map((name) => fileEntry(name))))),
  },
  {
    name: 'names that are not UTF-8, or differ by case and normal form only',
    expect: 'harmless',
    build: (forge) =>
      snapshotOfNode(
        forge,
        directory(sorted(['é', 'e\u0301', 'É', Uint8Array.of(0xff, 0xfe), Uint8Array.of(0xc3)].map((name) => fileEntry(name)))),
      ),
  },
];

/** An inner node of a directory over these children. */
function inner(children: readonly format.NodeReference[], lastNames: readonly string[], height = 1): Uint8Array {
  const items = children.map((node, index) => ({ lastName: textBytes(lastNames[index]!), entriesBelow: 1, node }));
  return format.encodeNode({ kind: 'directory', height, items });
}

/** Folders of which each is in the one before, and the first one in the last. */
async function ring(forge: Forge, length: number, names: readonly string[]): Promise<void> {
  const id = plannedPack();
  const references = Array.from({ length }, (_, index) => ({ pack: id, name: noise(32, `ring ${index}`) }));
  const chunks = references.map((_, index) => directory(names.map((name) => folderEntry(name, references[(index + 1) % length]!))));
  await forge.pack('metadata-pack', [{ chunks, names: references.map(({ name }) => name) }], { id });
  await snapshotOfTree(forge, references[0]!);
}

/** So many folders, each in the one before. */
async function chain(forge: Forge, levels: number, name: string): Promise<void> {
  const id = plannedPack();
  const nameOf = (level: number) => noise(32, `level ${level}`);
  const chunks = Array.from({ length: levels }, (_, level) =>
    directory([level + 1 < levels ? folderEntry(name, { pack: id, name: nameOf(level + 1) }) : fileEntry('file')]),
  );
  await forge.pack('metadata-pack', [{ chunks, names: chunks.map((_, level) => nameOf(level)) }], { id });
  await snapshotOfTree(forge, { pack: id, name: nameOf(0) });
}

/** A node that has itself as its child, by a name that is not that of its bytes. */
async function selfReferring(forge: Forge, make: (self: format.NodeReference) => Uint8Array): Promise<format.NodeReference> {
  const self = { pack: plannedPack(), name: noise(32, 'self') };
  await forge.pack('metadata-pack', [{ chunks: [make(self)], names: [self.name] }], { id: self.pack });
  return self;
}

const contentInner = (node: format.NodeReference, height: number): Uint8Array =>
  format.encodeNode({ kind: 'content', height, items: [{ bytesBelow: 1000, node }] });

const fileOf = (node: format.NodeReference, height: number): Uint8Array =>
  directory([fileEntry('f', { content: { form: 'node', node, height, packs: [node.pack] }, size: 1000 })]);

const shapeCases: HostileCase[] = [
  { name: 'a folder in itself', expect: 'malformed', build: (forge) => ring(forge, 1, ['again']) },
  { name: 'a folder twice in itself', expect: 'malformed', build: (forge) => ring(forge, 1, ['left', 'right']) },
  { name: 'two folders in each other', expect: 'malformed', build: (forge) => ring(forge, 2, ['other']) },
  { name: 'a ring of 50 folders, three ways on from each', expect: 'malformed', build: (forge) => ring(forge, 50, ['a', 'b', 'c']) },
  { name: 'as many folders in each other as there may be', expect: 'harmless', build: (forge) => chain(forge, 1000, 'd') },
  { name: 'folders in each other, 6,000 times', expect: 'limit-exceeded', build: (forge) => chain(forge, 6000, 'd') },
  { name: 'a path of 100 KB', expect: 'limit-exceeded', build: (forge) => chain(forge, 400, 'd'.repeat(255)) },
  {
    name: 'a node of a folder that is its own child',
    expect: 'malformed',
    build: async (forge) => snapshotOfTree(forge, await selfReferring(forge, (self) => inner([self], ['a']))),
  },
  {
    name: 'a node of a folder, of the greatest height, that is twice its own child',
    expect: 'malformed',
    build: async (forge) => snapshotOfTree(forge, await selfReferring(forge, (self) => inner([self, self], ['a', 'b'], 32))),
  },
  {
    name: 'a node of a content that is its own child',
    expect: 'malformed',
    build: async (forge) => {
      const node = await selfReferring(forge, (self) => contentInner(self, 1));
      await snapshotOfNode(forge, fileOf(node, 1), { packs: [node.pack] });
    },
  },
  {
    name: 'a content that is lower than its entry says',
    expect: 'malformed',
    build: async (forge) => {
      const [node] = await forge.nodes([format.encodeNode({ kind: 'content', height: 0, items: [{ kind: 'zeros', length: 1000 }] })]);
      await snapshotOfNode(forge, fileOf(node!, 3), { packs: [node!.pack] });
    },
  },
  {
    name: 'a content of another length than its entry says',
    expect: 'malformed',
    build: async (forge) => {
      const [node] = await forge.nodes([format.encodeNode({ kind: 'content', height: 0, items: [{ kind: 'zeros', length: 999 }] })]);
      await snapshotOfNode(forge, fileOf(node!, 0), { packs: [node!.pack] });
    },
  },
  {
    name: 'a directory where a content should be',
    expect: 'malformed',
    build: async (forge) => {
      const [node] = await forge.nodes([directory([fileEntry('x')])]);
      await snapshotOfNode(forge, fileOf(node!, 0), { packs: [node!.pack] });
    },
  },
  {
    name: 'a content where a directory should be',
    expect: 'malformed',
    build: (forge) => snapshotOfNode(forge, format.encodeNode({ kind: 'content', height: 0, items: [{ kind: 'hole', length: 5 }] })),
  },
  {
    name: 'a folder whose node is nowhere',
    expect: ['chunk-missing', 'pack-missing'],
    build: (forge) => snapshotOfNode(forge, directory([folderEntry('d', { pack: plannedPack(), name: noise(32, 'nowhere') })])),
  },
  {
    name: 'a small tree that unfolds to 2^40 folders',
    expect: 'unfolds',
    build: async (forge) => {
      let node = directory([fileEntry('file')]);
      for (let level = 0; level < 40; level++) {
        const [child] = await forge.nodes([node]);
        node = directory([folderEntry('left', child!), folderEntry('right', child!)]);
      }
      await snapshotOfNode(forge, node);
    },
  },
  {
    name: 'a folder of 20,000 files without content',
    expect: 'harmless',
    build: (forge) => snapshotOfNode(forge, directory(Array.from({ length: 20_000 }, (_, index) => fileEntry(`file-${100_000 + index}`)))),
  },
];

const linkTargets: Readonly<Record<string, string | Uint8Array>> = {
  'of the folder above': '..',
  'far above': '../'.repeat(1000),
  'that is absolute': '/lagan-hostile-absolute',
  'of itself': 'link',
  'with NUL': 'a\0b',
  'of nothing': '',
  'of 64 KiB': 'x'.repeat(65_536),
};

const linkCases: HostileCase[] = [
  ...Object.entries(linkTargets).map(([what, target]) => ({
    name: `a symbolic link with a target ${what}`,
    expect: 'harmless' as const,
    build: (forge: Forge) => snapshotOfNode(forge, directory([linkEntry('link', target)])),
  })),
  {
    name: 'a symbolic link in one snapshot that is a folder in the next',
    expect: 'harmless',
    build: async (forge) => {
      const [below] = await forge.nodes([directory([fileEntry('planted')])]);
      await snapshotOfNode(forge, directory([linkEntry('d', '../beside')]));
      await snapshotOfNode(forge, directory([folderEntry('d', below!)]), { packs: [below!.pack] });
    },
  },
  {
    name: 'a symbolic link in one snapshot that is a file in the next',
    expect: 'harmless',
    build: async (forge) => {
      await snapshotOfNode(forge, directory([linkEntry('canary', '../beside/canary')]));
      await snapshotOfNode(forge, directory([fileEntry('canary', { content: zeros(10) })]));
    },
  },
  ...hardLinks('files of other lengths', (extensions) => [
    fileEntry('a', { extensions, content: zeros(10) }),
    fileEntry('b', { extensions, content: zeros(20) }),
  ]),
  ...hardLinks('a file and a symbolic link', (extensions) => [
    fileEntry('a', { extensions, content: zeros(10) }),
    { ...linkEntry('b', '../beside/canary'), extensions },
  ]),
  ...hardLinks('a symbolic link and a file', (extensions) => [
    { ...linkEntry('a', '../beside/canary'), extensions },
    fileEntry('b', { extensions, content: zeros(10) }),
  ]),
  ...hardLinks('a device and a file', (extensions) => [{ ...deviceEntry('a'), extensions }, fileEntry('b', { extensions })]),
  ...hardLinks('2^32 names of which one is there', (extensions) => [fileEntry('a', { extensions })]),
];

function hardLinks(what: string, entries: (extensions: format.Extensions) => format.Entry[]): HostileCase[] {
  const extensions = { link: { count: 2 ** 32 - 1, device: 2n ** 64n - 1n } };
  return [{ name: `hard links: ${what}`, expect: 'harmless', build: (forge) => snapshotOfNode(forge, directory(entries(extensions))) }];
}

const far = Number.MAX_SAFE_INTEGER;
const xattr = (name: string, value: Uint8Array = textBytes('value')) => ({ xattrs: [{ name: textBytes(name), value }] });
const attributes: Readonly<Record<string, Partial<format.FileEntry>>> = {
  'a time in the year 285 million': { mtime: { seconds: far, nanoseconds: 999_999_999 } },
  'a time before the universe': { mtime: { seconds: -far, nanoseconds: 0 }, extensions: { accessTime: { seconds: -far, nanoseconds: 1 } } },
  'every bit of the mode': { mode: 0o7777 },
  'users of the greatest number': { uid: 2 ** 32 - 1, gid: 2 ** 32 - 1, userName: '../../root', groupName: '\u0000\ufeff' },
  'the greatest inode': { inode: 2n ** 64n - 1n },
  'an attribute of no name space': { extensions: xattr('nothing') },
  'capabilities that are none': { extensions: xattr('security.capability') },
  'an access list that is none': { extensions: xattr('system.posix_acl_access') },
  'an attribute of 1,024 letters': { extensions: xattr(`user.${'x'.repeat(1019)}`) },
  'an attribute with NUL in its name': { extensions: xattr('user.a\0b') },
  'an attribute of 100 KB': { extensions: xattr('user.big', new Uint8Array(100_000)) },
  'unknown flags': { extensions: { flags: 2 ** 31 } },
  'the greatest project': { extensions: { projectId: 2 ** 32 - 1 } },
  'a read error of 60 KB': { extensions: { readError: { code: 'x'.repeat(60_000), message: '\u001b[2J' } } },
  'extensions of the future': {
    extensions: { unknown: Array.from({ length: 60 }, (_, index) => ({ type: 100 + index, value: noise(100, 'x') })) },
  },
};

const attributeCases: HostileCase[] = Object.entries(attributes).map(([what, fields]) => ({
  name: `a file with ${what}`,
  expect: 'harmless',
  build: (forge) => snapshotOfNode(forge, directory([fileEntry('f', fields)])),
}));

const rawNumbers: Readonly<Record<string, { fields: Parameters<typeof rawEntry>[0]; expect: format.ErrorCode }>> = {
  'a mode of 2^52': { fields: { mode: 2 ** 52 }, expect: 'limit-exceeded' },
  'a user above 2^32': { fields: { uid: 2 ** 32 }, expect: 'limit-exceeded' },
  'a billion nanoseconds': { fields: { mtime: concat(svarint(0), varint(10 ** 9)) }, expect: 'limit-exceeded' },
  'seconds of 2^60': { fields: { mtime: concat(svarint(2n ** 60n), varint(0)) }, expect: 'limit-exceeded' },
  'a size of 2^60': { fields: { type: 1, fields: concat(varint(2n ** 60n), u8(0)) }, expect: 'limit-exceeded' },
  'a size and no content': { fields: { type: 1, fields: concat(varint(2 ** 52), u8(0)) }, expect: 'malformed' },
  '2^24 extents': { fields: { type: 1, fields: concat(varint(1), u8(1), varint(2 ** 24)) }, expect: 'limit-exceeded' },
  '65,536 extents that are not there': { fields: { type: 1, fields: concat(varint(1), u8(1), varint(65_536)) }, expect: 'malformed' },
  'an extent of nothing': { fields: { type: 1, fields: concat(varint(0), u8(1), varint(1), u8(1), varint(0)) }, expect: 'malformed' },
  'an extension of a GiB': { fields: { trailing: concat(varint(2 ** 30)), extensions: [] }, expect: 'malformed' },
  'a length of its own of 16 MiB': { fields: { lengthError: 2 ** 24 - 20 }, expect: ['malformed'] as never },
};

const numberCases: HostileCase[] = Object.entries(rawNumbers).map(([what, { fields, expect }]) => ({
  name: `an entry with ${what}`,
  expect: [expect, 'malformed', 'limit-exceeded'].flat() as format.ErrorCode[],
  build: (forge) => snapshotOfNode(forge, concat(...nodeParts({ items: [rawEntry(fields)] }).map(([, bytes]) => bytes))),
}));

export const treeCases: readonly HostileCase[] = [
  ...nameCases,
  ...orderCases,
  ...odd,
  ...shapeCases,
  ...linkCases,
  ...attributeCases,
  ...numberCases,
];

function zeros(length: number): format.Content {
  return { form: 'inline', extents: [{ kind: 'zeros', length }] };
}

function sorted(entries: readonly format.Entry[]): format.Entry[] {
  return entries.toSorted((left, right) => format.compareBytes(left.name, right.name));
}
