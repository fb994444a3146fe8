/** What this program is called, its version, and where its files are: sources and the built program lie in folders of the same form, each with a package.json. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const folder = folderOfPackage(import.meta.dirname);

/** `0.1.0` */
export const version: string = (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;

/** `lagan 0.1.0`: what snapshots say of who wrote them. */
export const program = `lagan ${version}`;

/** A file that belongs to the program. `path` is seen from the top of the project. */
export function programFile(path: string): string {
  return join(folder, path);
}

/** The module of a thread, `path` as in {@link programFile} without its ending: TypeScript where the program runs from its sources. */
export function threadModule(path: string): URL {
  return pathToFileURL(programFile(path + (import.meta.url.endsWith('.ts') ? '.ts' : '.js')));
}

function folderOfPackage(from: string): string {
  if (existsSync(join(from, 'package.json'))) return from;
  if (dirname(from) === from) throw new Error(`no package.json above ${import.meta.dirname}: the installation of lagan is incomplete`);
  return folderOfPackage(dirname(from));
}
