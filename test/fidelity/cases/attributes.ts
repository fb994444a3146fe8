/** Extended attributes, ACLs and capabilities. */

import { acl, attribute, type Look, latin1, noise } from '../case-folder.ts';
import type { FidelityCase } from '../make-cases.ts';

const accessAcl = acl(['user', 6], ['named-user', 4, 1001], ['group', 4], ['named-group', 6, 1002], ['mask', 6], ['other', 0]);
const narrowAcl = acl(['user', 7], ['named-user', 7, 1001], ['group', 7], ['mask', 1], ['other', 4]);
const defaultAcl = acl(['user', 7], ['named-user', 5, 1001], ['group', 5], ['mask', 5], ['other', 0]);

/** struct vfs_cap_data: cap_net_bind_service permitted and effective. */
const capabilityVersion2 = Buffer.from('0100000200040000000000000000000000000000', 'hex');
/** Version 3 has the root of a user namespace behind it. */
const capabilityVersion3 = Buffer.from('0100000300040000000000000000000000000000e8030000', 'hex');

export const attributeCases: readonly FidelityCase[] = [
  { name: 'attribute', make: (folder) => folder.file('file', 'content', having(attribute('user.comment', 'some text'))) },
  { name: 'attribute-of-empty-file', make: (folder) => folder.file('file', '', having(attribute('user.comment', 'some text'))) },
  { name: 'attribute-with-empty-value', make: (folder) => folder.file('file', '', having(attribute('user.empty'))) },
  {
    name: 'attribute-with-binary-value',
    make: (folder) => folder.file('file', '', having(attribute('user.binary', noise(256)), attribute('user.nul', '\0'))),
  },
  { name: 'attribute-with-large-value', make: (folder) => folder.file('file', '', having(attribute('user.large', noise(3500)))) },
  { name: 'attribute-with-largest-value', make: (folder) => folder.file('file', '', having(attribute('user.largest', noise(65_536)))) },
  {
    name: 'many-attributes',
    make: (folder) =>
      folder.file('file', '', having(...Array.from({ length: 80 }, (_, index) => attribute(`user.${index}`, `value ${index}`)))),
  },
  { name: 'attribute-name-of-255-bytes', make: (folder) => folder.file('file', '', having(attribute(`user.${'n'.repeat(250)}`, 'v'))) },
  { name: 'attribute-name-not-utf-8', make: (folder) => folder.file('file', '', having(attribute(latin1('user.\xff\xfe\x80'), 'v'))) },
  {
    name: 'attribute-names-alike',
    make: (folder) =>
      folder.file(
        'file',
        '',
        having(attribute('user.a', '1'), attribute('user.A', '2'), attribute('user.a ', '3'), attribute('user.é', '4')),
      ),
  },
  {
    name: 'attribute-of-folder',
    make: (folder) => folder.directory('folder', having(attribute('user.comment', 'text')), (inner) => inner.file('file')),
  },
  {
    name: 'attribute-of-read-only-file',
    make: (folder) => folder.file('file', 'content', { mode: 0o444, ...having(attribute('user.comment', 'text')) }),
  },
  {
    name: 'attribute-of-unreadable-file',
    needs: 'readable by root',
    make: (folder) => folder.file('file', 'content', { mode: 0, ...having(attribute('user.comment', 'text')) }),
  },
  { name: 'trusted-attribute', needs: 'root', make: (folder) => folder.file('file', '', having(attribute('trusted.overlay.opaque', 'y'))) },
  {
    name: 'trusted-attribute-of-folder',
    needs: 'root',
    make: (folder) => folder.directory('folder', having(attribute('trusted.overlay.opaque', 'y'))),
  },
  {
    name: 'trusted-attribute-of-symlink',
    needs: 'root',
    make: (folder) => folder.symlink('link', 'nowhere', having(attribute('trusted.comment', 'text'))),
  },
  {
    name: 'trusted-attribute-of-specials',
    needs: 'root',
    make: (folder) => {
      const look = having(attribute('trusted.comment', 'text'), attribute(latin1('trusted.\xff'), ''));
      folder.node('fifo', { type: 'fifo' }, look);
      folder.node('socket', { type: 'socket' }, look);
      folder.node('device', { type: 'character-device', major: 1, minor: 7 }, look);
    },
  },
  {
    name: 'security-attribute',
    needs: 'root',
    make: (folder) => folder.file('file', '', having(attribute('security.lagan-test', noise(100)))),
  },
  {
    name: 'acl-of-file',
    make: (folder) => folder.file('file', 'content', { mode: 0o660, ...having(attribute('system.posix_acl_access', accessAcl)) }),
  },
  {
    name: 'acl-with-narrow-mask',
    make: (folder) => folder.file('file', 'content', { mode: 0o714, ...having(attribute('system.posix_acl_access', narrowAcl)) }),
  },
  {
    name: 'acl-of-folder',
    make: (folder) =>
      folder.directory(
        'folder',
        {
          mode: 0o660 | 0o100,
          ...having(
            attribute('system.posix_acl_access', acl(['user', 7], ['named-user', 4, 1001], ['group', 4], ['mask', 6], ['other', 0])),
          ),
        },
        (inner) => inner.file('file', 'content'),
      ),
  },
  {
    name: 'default-acl',
    make: (folder) =>
      folder.directory('folder', having(attribute('system.posix_acl_default', defaultAcl)), (inner) =>
        inner.file('without-acl', 'content'),
      ),
  },
  {
    name: 'acl-of-fifo',
    needs: 'root',
    make: (folder) => folder.node('fifo', { type: 'fifo' }, { mode: 0o660, ...having(attribute('system.posix_acl_access', accessAcl)) }),
  },
  {
    name: 'acl-inherited-and-not',
    make: (folder) => {
      const both = having(
        attribute('system.posix_acl_default', defaultAcl),
        attribute('system.posix_acl_access', acl(['user', 7], ['named-user', 5, 1001], ['group', 5], ['mask', 5], ['other', 0])),
      );
      folder.directory('outer', { mode: 0o750, ...both }, (outer) => {
        outer.directory('plain', { mode: 0o755 }, (plain) => plain.file('plain', '', { mode: 0o644 }));
        outer.directory('also', { mode: 0o750, ...both }, (also) => also.file('plain', '', { mode: 0o600 }));
      });
    },
  },
  {
    name: 'capability',
    needs: 'root',
    make: (folder) =>
      folder.file('program', '#!/bin/true\n', { mode: 0o755, ...having(attribute('security.capability', capabilityVersion2)) }),
  },
  {
    name: 'capability-of-namespace-root',
    needs: 'root',
    make: (folder) =>
      folder.file('program', '#!/bin/true\n', { mode: 0o755, ...having(attribute('security.capability', capabilityVersion3)) }),
  },
  {
    name: 'capability-with-owner-and-setgid',
    needs: 'root',
    make: (folder) =>
      folder.file('program', '#!/bin/true\n', {
        uid: 1234,
        gid: 1235,
        mode: 0o2755,
        ...having(attribute('security.capability', capabilityVersion2)),
      }),
  },
];

function having(...extendedAttributes: ReturnType<typeof attribute>[]): Look {
  return { extendedAttributes };
}
