import { chmodSync, chownSync, closeSync, lstatSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import t from 'tap';
import {
  applyCreationFlags,
  applyMetadata,
  applyMetadataAt,
  closeDescriptor,
  createFile,
  currentIdentity,
  type ExtendedAttribute,
  fileFlag,
  inheritance,
  type Metadata,
  type MetadataLoss,
  openDirectory,
  openFile,
  readExtendedAttributes,
  readFileFlags,
  readProjectId,
  statAt,
} from '../../../engine/system/mod.ts';
import { asOrdinaryUser, bytes, isRoot, needsRoot, openTestFolder } from './_helpers.ts';

/** ACLs in the kernel's form: version 2, then tag, permissions, id of each entry. */
const aclForUser = acl([0x01, 6, -1], [0x02, 7, 1234], [0x04, 4, -1], [0x10, 7, -1], [0x20, 4, -1]);
const aclDefault = acl([0x01, 7, -1], [0x02, 5, 1234], [0x04, 5, -1], [0x10, 5, -1], [0x20, 0, -1]);
const capabilityVersion2 = Buffer.from('0100000200200000000000000000000000000000', 'hex');

t.test('applyMetadata: owner, mode with setuid and setgid, times, attributes, ACL and capability of a file', needsRoot, async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  const metadata: Metadata = {
    type: 'file',
    uid: 4_000_000_000,
    gid: 12_345,
    mode: 0o6774,
    modified: { seconds: -12_345, nanoseconds: 123_456_789 },
    accessed: { seconds: 5_000_000_000, nanoseconds: 1 },
    extendedAttributes: [
      attribute('user.name', 'value'),
      attribute('system.posix_acl_access', aclForUser),
      attribute('security.capability', capabilityVersion2),
    ],
  };
  t.strictSame(applyMetadata(file, metadata), []);
  t.match(statAt(folder, bytes('file')), {
    uid: 4_000_000_000,
    gid: 12_345,
    mode: 0o6774,
    modifiedSeconds: -12_345,
    modifiedNanoseconds: 123_456_789,
    accessedSeconds: 5_000_000_000,
    accessedNanoseconds: 1,
  });
  t.strictSame(attributesOf(file), ['security.capability', 'system.posix_acl_access', 'user.name']);
  closeSync(file);
});

t.test('applyMetadata: user attributes come before a mode that would forbid them', async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  const losses = asOrdinaryUser(() => {
    const file = createFile(folder, bytes('file'));
    const result = applyMetadata(file, {
      type: 'file',
      mode: 0,
      extendedAttributes: [attribute('user.name', 'value')],
      modified: { seconds: 1, nanoseconds: 2 },
    });
    closeSync(file);
    return result;
  });
  t.strictSame(losses, []);
  t.match(statAt(folder, bytes('file')), { mode: 0, modifiedSeconds: 1, modifiedNanoseconds: 2 });
  chmodSync(`${path}/file`, 0o600);
  const file = openFile(folder, bytes('file'));
  t.strictSame(attributesOf(file), ['user.name']);
  closeDescriptor(file);
});

t.test('applyMetadata: user attributes of what is read-only already, with and without a mode to set', async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  asOrdinaryUser(() => {
    for (const options of [{}, { known: { mode: 0o444 } }]) {
      for (const mode of [undefined, 0o444]) {
        const name = bytes(`${mode}-${'known' in options}`);
        const file = createFile(folder, name, 0o444);
        t.strictSame(applyMetadata(file, { type: 'file', mode, extendedAttributes: [attribute('user.name', 'value')] }, options), []);
        t.strictSame(attributesOf(file), ['user.name']);
        t.equal(statAt(folder, name).mode, 0o444);
        closeSync(file);
      }
    }
  });
});

t.test('applyMetadata: a folder, without its own write permission, with a default ACL', async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/folder`);
  const opened = openDirectory(folder, bytes('folder'));
  const metadata: Metadata = {
    type: 'directory',
    mode: 0o1555,
    modified: { seconds: 1_234, nanoseconds: 5 },
    extendedAttributes: [attribute('system.posix_acl_default', aclDefault)],
  };
  t.strictSame(applyMetadata(opened, metadata), []);
  t.match(statAt(folder, bytes('folder')), { mode: 0o1555, modifiedSeconds: 1_234, modifiedNanoseconds: 5 });
  t.match(inheritance(opened), { acl: true, group: false });
  closeDescriptor(opened);
});

t.test('applyMetadata: surplus attributes, ACLs and flags go only if asked', async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/folder`);
  const opened = openDirectory(folder, bytes('folder'));
  applyMetadata(opened, { type: 'directory', extendedAttributes: [attribute('system.posix_acl_default', aclDefault)] });
  const file = createFile(opened, bytes('file'));
  applyMetadata(file, {
    type: 'file',
    extendedAttributes: [attribute('user.old', '1'), attribute('user.kept', '1')],
    flags: fileFlag.noDump,
  });
  t.strictSame(attributesOf(file), ['system.posix_acl_access', 'user.kept', 'user.old'], 'the ACL is inherited');
  const metadata: Metadata = { type: 'file', mode: 0o640, extendedAttributes: [attribute('user.kept', '2')], flags: 0 };
  t.strictSame(applyMetadata(file, metadata), []);
  t.strictSame(attributesOf(file), ['system.posix_acl_access', 'user.kept', 'user.old']);
  t.strictSame(applyMetadata(file, metadata, { surplus: 'remove' }), []);
  t.strictSame(attributesOf(file), ['user.kept']);
  t.equal(readFileFlags(file, -1), 0);
  t.equal(statSync(`${path}/folder/file`).mode & 0o7777, 0o640);
  closeSync(file);
  closeDescriptor(opened);
});

t.test('applyMetadataAt: a symbolic link has an owner and times of its own', async (t) => {
  const { path, folder } = openTestFolder(t);
  closeSync(createFile(folder, bytes('file')));
  symlinkSync('file', `${path}/link`);
  const before = lstatSync(`${path}/file`);
  const { uid, gid } = isRoot ? { uid: 12, gid: 34 } : currentIdentity();
  const metadata: Metadata = { type: 'symlink', uid, gid, mode: 0o777, modified: { seconds: 7, nanoseconds: 8 } };
  t.strictSame(applyMetadataAt(folder, bytes('link'), { metadata }), []);
  t.match(statAt(folder, bytes('link')), { uid, gid, modifiedSeconds: 7, modifiedNanoseconds: 8 });
  t.match(lstatSync(`${path}/file`), { uid: before.uid, mtimeMs: before.mtimeMs, mode: before.mode });
});

t.test('applyMetadata: flags are set, immutable last, and read again', needsRoot, async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  const flags = fileFlag.immutable | fileFlag.noDump | fileFlag.noAccessTime;
  const losses = applyMetadata(file, { type: 'file', mode: 0o600, modified: { seconds: 1, nanoseconds: 1 }, flags });
  if (losses.length > 0) {
    t.pass('this file system lacks these flags', { skip: losses[0]!.errno });
    return;
  }
  t.equal(readFileFlags(file, -1), flags);
  t.match(statAt(folder, bytes('file')), { modifiedSeconds: 1, modifiedNanoseconds: 1 });
  const extents = 0x8_0000;
  t.strictSame(applyMetadata(file, { type: 'file', flags: flags | extents }), [], 'bits of the file system are left alone');
  closeSync(file);
});

t.test('applyMetadata: flags that are refused are a loss; the others are set', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  asOrdinaryUser(() => {
    const file = createFile(folder, bytes('file'));
    const losses = applyMetadata(file, { type: 'file', flags: fileFlag.immutable | fileFlag.noDump });
    t.match(losses, [{ kind: 'flags' }]);
    t.equal(readFileFlags(file, -1) & fileFlag.immutable, 0);
    if (losses[0]!.errno === 'EPERM') t.equal(readFileFlags(file, -1), fileFlag.noDump);
    closeSync(file);
  });
});

t.test('readFileFlags and readProjectId: nothing where the kernel has none', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  t.equal(readFileFlags(file, -2), 0);
  t.equal(readProjectId(file, -2), 0);
  t.strictSame(applyMetadata(file, { type: 'file', flags: 0, projectId: 0 }, { surplus: 'remove' }), []);
  t.strictSame(applyCreationFlags(file, fileFlag.noDump), [], 'no creation flag');
  closeSync(file);
});

t.test('applyMetadata: a refused owner is a loss, and setuid and setgid are left off with it', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  const losses = asOrdinaryUser(() => {
    const file = createFile(folder, bytes('file'));
    const result = applyMetadata(file, { type: 'file', uid: 0, gid: 0, mode: 0o6755 });
    closeSync(file);
    return result;
  });
  t.strictSame(kinds(losses), ['owner EPERM', 'mode EPERM']);
  t.match(statAt(folder, bytes('file')), { uid: 65_534, gid: 65_534, mode: 0o755 });
});

t.test('applyMetadata: a group that may be set is set even if the user may not', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  const losses = asOrdinaryUser(() => {
    const file = createFile(folder, bytes('file'));
    const result = applyMetadata(file, { type: 'file', uid: 1, gid: 65_534, mode: 0o2755 });
    closeSync(file);
    return result;
  });
  t.strictSame(kinds(losses), ['owner EPERM']);
  t.match(statAt(folder, bytes('file')), { uid: 65_534, gid: 65_534, mode: 0o2755 });
});

t.test('applyMetadata: setgid that the kernel drops without a word is a loss', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  const file = createFile(folder, bytes('file'));
  chownSync(`${path}/file`, 65_534, 4321);
  const losses = asOrdinaryUser(() => applyMetadata(file, { type: 'file', mode: 0o2755 }));
  t.strictSame(kinds(losses), ['mode EPERM']);
  closeSync(file);
});

t.test('applyMetadata: capabilities and trusted attributes are losses of their kinds for an ordinary user', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  chmodSync(path, 0o777);
  asOrdinaryUser(() => {
    const file = createFile(folder, bytes('file'));
    const extendedAttributes = [
      attribute('security.capability', capabilityVersion2),
      attribute('trusted.name', '1'),
      attribute('user.name', '1'),
    ];
    t.strictSame(kinds(applyMetadata(file, { type: 'file', extendedAttributes })), ['capability EPERM', 'xattr EPERM']);
    t.strictSame(attributesOf(file), ['user.name']);
    closeSync(file);
  });
});

t.test('applyMetadata: without an ACL that was refused, the group gets no more than the ACL gave it', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  const broken = Buffer.concat([aclForUser, Buffer.from([1])]);
  const losses = applyMetadata(file, { type: 'file', mode: 0o674, extendedAttributes: [attribute('system.posix_acl_access', broken)] });
  t.strictSame(kinds(losses), ['acl EINVAL', 'mode EPERM']);
  t.equal(statAt(folder, bytes('file')).mode, 0o644);
  closeSync(file);
});

t.test('applyMetadata: a time that the file system cannot hold is a loss', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'));
  const seconds = 2 ** 40;
  const losses = applyMetadata(file, { type: 'file', modified: { seconds, nanoseconds: 0 } });
  if (statAt(folder, bytes('file')).modifiedSeconds === seconds) t.strictSame(losses, []);
  else t.strictSame(kinds(losses), ['times ERANGE']);
  closeSync(file);
});

t.test('applyMetadata: what is known is not set again, but setuid always is', async (t) => {
  const { folder } = openTestFolder(t);
  const file = createFile(folder, bytes('file'), 0o600);
  const { uid, gid } = currentIdentity();
  t.strictSame(applyMetadata(file, { type: 'file', uid, gid, mode: 0o600 }, { known: { uid, gid, mode: 0o600 } }), []);
  t.strictSame(applyMetadata(file, { type: 'file', uid, gid, mode: 0o4600 }, { known: { uid, gid, mode: 0o4600 } }), []);
  t.equal(statAt(folder, bytes('file')).mode, 0o4600);
  closeSync(file);
});

t.test('inheritance: tells of setgid and of flags', needsRoot, async (t) => {
  const { path, folder } = openTestFolder(t);
  mkdirSync(`${path}/plain`);
  mkdirSync(`${path}/special`);
  chmodSync(`${path}/special`, 0o2755);
  const plain = openDirectory(folder, bytes('plain'));
  const special = openDirectory(folder, bytes('special'));
  const losses = applyMetadata(special, { type: 'directory', flags: fileFlag.noDump });
  t.strictSame(inheritance(plain), { group: false, acl: false, flags: false });
  t.strictSame(inheritance(special), { group: true, acl: false, flags: losses.length === 0 });
  closeDescriptor(plain);
  closeDescriptor(special);
});

t.test('applyMetadata: needs no write access', needsRoot, async (t) => {
  const { folder } = openTestFolder(t);
  closeSync(createFile(folder, bytes('file')));
  const file = openFile(folder, bytes('file'));
  t.strictSame(applyMetadata(file, { type: 'file', uid: 1, gid: 2, mode: 0o444, extendedAttributes: [attribute('trusted.a', '')] }), []);
  closeDescriptor(file);
});

function attribute(name: string, value: string | Uint8Array): ExtendedAttribute {
  return { name: bytes(name), value: typeof value === 'string' ? bytes(value) : value };
}

function attributesOf(descriptor: number): string[] {
  return readExtendedAttributes(descriptor, -1).attributes.map(({ name }) => Buffer.from(name).toString('latin1'));
}

function kinds(losses: readonly MetadataLoss[]): string[] {
  return losses.map(({ kind, errno }) => `${kind} ${errno}`);
}

function acl(...entries: [tag: number, permissions: number, id: number][]): Uint8Array {
  const result = Buffer.alloc(4 + 8 * entries.length);
  result.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id]] of entries.entries()) {
    result.writeUInt16LE(tag, 4 + index * 8);
    result.writeUInt16LE(permissions, 6 + index * 8);
    result.writeInt32LE(id, 8 + index * 8);
  }
  return result;
}
