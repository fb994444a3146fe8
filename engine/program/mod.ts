/** What this program is called, and its version: from the package itself. */
import { readFileSync } from 'node:fs';

/** `0.1.0` */
export const version: string = (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

/** `lagan 0.1.0`: what snapshots say of who wrote them. */
export const program = `lagan ${version}`;
