/**
 * Preloaded by every thread of a process that is measured: each read of an object from a folder is written down as a line `name bytes` in the file that the environment names.
 * A read of a folder is what a request is to an object store, also where it takes the folder more than one call.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { openSync, writeSync } from 'node:fs';
import { LocalFolder } from '../engine/storage/mod.ts';

const file = process.env.LAGAN_AGED_CALLS;
if (file !== undefined) {
  const descriptor = openSync(file, 'a');
  const within = new AsyncLocalStorage<true>();
  const note = (name: string, bytes: number): void => {
    if (!within.getStore()) writeSync(descriptor, `${name} ${bytes}\n`);
  };
  const { get, getEnd, size, list } = LocalFolder.prototype;
  LocalFolder.prototype.get = async function (name, range, options) {
    const bytes = await within.run(true, () => get.call(this, name, range, options));
    note(name, bytes.length);
    return bytes;
  };
  LocalFolder.prototype.getEnd = async function (name, last, options) {
    const end = await within.run(true, () => getEnd.call(this, name, last, options));
    note(name, end.bytes.length);
    return end;
  };
  LocalFolder.prototype.size = async function (name, options) {
    note(name, 0);
    return size.call(this, name, options);
  };
  LocalFolder.prototype.list = async function* (prefix, options) {
    note(prefix, 0);
    yield* list.call(this, prefix, options);
  };
}
