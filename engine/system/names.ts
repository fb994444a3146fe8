/** Names of users and groups, from whatever the C library asks (files, LDAP, …), remembered in each thread. */

import { libc } from './_libc.ts';
import * as scratch from './_scratch.ts';

type Find = (id: number) => number;

const userNames = new Map<number, string>();
const groupNames = new Map<number, string>();
const userIds = new Map<string, number | undefined>();
const groupIds = new Map<string, number | undefined>();

/** In struct passwd and struct group the name comes first, the id third. */
const idOffset = 16;

/** The name of a user; '' if there is none. */
export function userName(uid: number): string {
  const { entry, value, small } = scratch.address;
  return nameOf(userNames, uid, (id) => libc.getpwuid_r(id, entry, value, scratch.attributeMaxBytes, small));
}

/** The name of a group; '' if there is none. */
export function groupName(gid: number): string {
  const { entry, value, small } = scratch.address;
  return nameOf(groupNames, gid, (id) => libc.getgrgid_r(id, entry, value, scratch.attributeMaxBytes, small));
}

/** The id of a user by name. */
export function userId(name: string): number | undefined {
  const { entry, value, small } = scratch.address;
  return idOf(userIds, name, (address) => libc.getpwnam_r(address, entry, value, scratch.attributeMaxBytes, small));
}

/** The id of a group by name. */
export function groupId(name: string): number | undefined {
  const { entry, value, small } = scratch.address;
  return idOf(groupIds, name, (address) => libc.getgrnam_r(address, entry, value, scratch.attributeMaxBytes, small));
}

function nameOf(known: Map<number, string>, id: number, find: Find): string {
  let name = known.get(id);
  if (name === undefined) {
    name = isFound(find(id)) ? textAt(pointerAt(scratch.at.entry)) : '';
    known.set(id, name);
  }
  return name;
}

function idOf(known: Map<string, number | undefined>, name: string, find: Find): number | undefined {
  if (known.has(name)) return known.get(name);
  const address = scratch.putText('first', Buffer.from(name));
  const id = name !== '' && address > 0 && isFound(find(address)) ? scratch.view.getUint32(scratch.at.entry + idOffset, true) : undefined;
  known.set(name, id);
  return id;
}

/** These calls return 0 and a null pointer for what does not exist. */
function isFound(result: number): boolean {
  return result === 0 && pointerAt(scratch.at.small) !== 0;
}

function pointerAt(offset: number): number {
  return scratch.view.getUint32(offset, true) + scratch.view.getUint32(offset + 4, true) * 0x1_0000_0000;
}

function textAt(pointer: number): string {
  const start = scratch.offsetOfAddress(pointer);
  if (start < 0) return '';
  return Buffer.from(scratch.bytes.subarray(start, scratch.bytes.indexOf(0, start))).toString('utf8');
}
