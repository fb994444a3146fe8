import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { pretendNoAttributesAt } from '../../../engine/system/extended-attributes.ts';
import {
  applyMetadata,
  applyMetadataAt,
  closeDescriptor,
  createNode,
  type ExtendedAttribute,
  type ExtendedAttributes,
  noExtendedAttributes,
  openFile,
  openRoot,
  readExtendedAttributes,
  readExtendedAttributesAt,
  statAt,
} from '../../../engine/system/mod.ts';
import { asOrdinaryUser, bytes, needsRoot, openTestFolder } from './_helpers.ts';

t.test('readExtendedAttributes: none is one shared answer', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, '');
  const file = openFile(folder, bytes('file'));
  const { device } = statAt(folder, bytes('file'));
  t.equal(readExtendedAttributes(file, device), noExtendedAttributes);
  t.equal(readExtendedAttributesAt(folder, bytes('file'), device), noExtendedAttributes);
  closeDescriptor(file);
});

t.test('readExtendedAttributes: agrees with getfattr', { skip: hasProgram('setfattr') ? false : 'needs setfattr' }, async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, '');
  execFileSync('setfattr', ['-n', 'user.text', '-v', 'value', `${path}/file`]);
  execFileSync('setfattr', ['-n', 'user.binary', '-v', '0x00ff0a00', `${path}/file`]);
  execFileSync('setfattr', ['-n', 'user.empty', `${path}/file`]);
  const found = readExtendedAttributesAt(folder, bytes('file'), 0);
  t.strictSame(plain(found), { attributes: ['user.binary=00ff0a00', 'user.empty=', 'user.text=76616c7565'], failures: [] });
});

for (const way of ['getxattrat', '/proc/self/fd'] as const) {
  t.test(`extended attributes by ${way}: of everything that cannot be opened`, needsRoot, async (t) => {
    pretendNoAttributesAt(way === '/proc/self/fd');
    t.teardown(() => pretendNoAttributesAt(false));
    const { path, folder } = openTestFolder(t);
    symlinkSync('/etc/passwd', `${path}/link`);
    createNode(folder, bytes('fifo'), { type: 'fifo' });
    createNode(folder, bytes('socket'), { type: 'socket' });
    createNode(folder, bytes('device'), { type: 'character-device', major: 1, minor: 3 });
    const wanted = [attribute('trusted.\xff\xfe', '\0\x01'), attribute('trusted.one', 'value')];
    for (const [name, type] of [
      ['link', 'symlink'],
      ['fifo', 'fifo'],
      ['socket', 'socket'],
      ['device', 'character-device'],
    ] as const) {
      t.strictSame(applyMetadataAt(folder, bytes(name), { metadata: { type, extendedAttributes: wanted } }), [], name);
      const { device } = statAt(folder, bytes(name));
      const found = readExtendedAttributesAt(folder, bytes(name), device);
      t.strictSame(plain(found), { attributes: ['trusted.one=76616c7565', 'trusted.\xff\xfe=0001'], failures: [] }, name);
      const metadata = { type, extendedAttributes: wanted.slice(1) };
      t.strictSame(applyMetadataAt(folder, bytes(name), { metadata, surplus: 'remove' }), [], name);
      t.equal(readExtendedAttributesAt(folder, bytes(name), device).attributes.length, 1, name);
    }
    t.throws(() => applyMetadataAt(folder, bytes('link'), { metadata: { type: 'fifo' } }), { code: 'io', errno: 'ESTALE' });
    t.throws(() => applyMetadataAt(folder, bytes('nothing'), { metadata: { type: 'fifo' } }), { code: 'io', errno: 'ENOENT' });
  });
}

t.test('extended attributes: names of 255 bytes, empty values, many of them, a value of 3,000 bytes', async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/folder`);
  const descriptor = openRoot(`${path}/folder`);
  const wanted = [attribute(`user.${'n'.repeat(250)}`, ''), attribute('user.large', 'v'.repeat(1500)), ...numbered(30)];
  const losses = applyMetadata(descriptor, { type: 'directory', extendedAttributes: wanted });
  t.strictSame(losses, []);
  const { attributes } = readExtendedAttributes(descriptor, statAt(folder, bytes('folder')).device);
  t.strictSame(attributes.map(show).sort(), wanted.map(show).sort());
  closeDescriptor(descriptor);
});

t.test('applyMetadata: an attribute that the kernel refuses is a loss with its name, and the rest is set', async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, '');
  const file = openFile(folder, bytes('file'));
  const wanted = [
    attribute('nonsense.name', ''),
    attribute('user.with\0nul', ''),
    attribute('user.good', '1'),
    attribute('user.large', 'v'.repeat(65_537)),
  ];
  const losses = applyMetadata(file, { type: 'file', extendedAttributes: wanted });
  t.strictSame(
    losses.map(({ kind, errno, detail }) => `${kind} ${errno} ${Buffer.from(detail!).toString()}`),
    ['xattr EOPNOTSUPP nonsense.name', 'xattr EINVAL user.with\0nul', 'xattr E2BIG user.large'],
  );
  t.strictSame(plain(readExtendedAttributesAt(folder, bytes('file'), 0)).attributes, ['user.good=31']);
  closeDescriptor(file);
});

t.test('readExtendedAttributes: a file system without attributes is asked once', async (t) => {
  const proc = openRoot('/proc/self');
  const { device } = statAt(proc, bytes('status'));
  t.equal(readExtendedAttributesAt(proc, bytes('status'), device).failures.length, 0);
  t.equal(readExtendedAttributesAt(proc, bytes('status'), device), noExtendedAttributes);
  closeDescriptor(proc);
});

t.test('readExtendedAttributesAt: what may be listed but not read is a failure', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  writeFileSync(`${path}/file`, '');
  const file = openFile(folder, bytes('file'));
  applyMetadata(file, { type: 'file', extendedAttributes: [attribute('user.secret', '1')] });
  chmodSync(`${path}/file`, 0);
  const found = asOrdinaryUser(() => readExtendedAttributesAt(folder, bytes('file'), 0));
  t.strictSame(
    found.failures.map(({ errno }) => errno),
    [13],
  );
  closeDescriptor(file);
});

function attribute(name: string, value: string): ExtendedAttribute {
  return { name: Buffer.from(name, 'latin1'), value: Buffer.from(value, 'latin1') };
}

function numbered(count: number): ExtendedAttribute[] {
  return Array.from({ length: count }, (_, index) => attribute(`user.number-${index}`, `${index}`));
}

function show({ name, value }: ExtendedAttribute): string {
  return `${Buffer.from(name).toString('latin1')}=${Buffer.from(value).toString('hex')}`;
}

function plain({ attributes, failures }: ExtendedAttributes): { attributes: string[]; failures: unknown[] } {
  return { attributes: attributes.map(show), failures: [...failures] };
}

function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`]);
    return true;
  } catch {
    return false;
  }
}
