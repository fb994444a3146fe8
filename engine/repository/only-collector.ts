/**
 * Where a store cannot create safely, two collectors could both believe that they have replaced the root. So the configuration names the one that may run. Which
 * that is only the owner changes, after the old one was stopped: there is no lock and no lease that could run out.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { type Configuration, LaganError } from '../../repo-format/mod.ts';

/** What this machine is called as a collector: its host name, and some digits that tell it from others of that name. `LAGAN_COLLECTOR` overrides it. */
export function collectorName(env: Readonly<Record<string, string | undefined>> = process.env): string {
  if (env.LAGAN_COLLECTOR) return env.LAGAN_COLLECTOR;
  const digits = createHash('sha256').update(`lagan collector\n${hostname()}\n${machineId()}`).digest('hex').slice(0, 8);
  return `${hostname()}-${digits}`;
}

/** Code: forbidden, if the configuration names another collector than `name`. */
export function expectCollector({ collector }: Configuration, name: string = collectorName()): void {
  if (collector === null || collector === name) return;
  throw new LaganError('forbidden', `only ${collector} may collect in this repository, and this is ${name}`, {
    expected: collector,
    found: name,
    hint: 'the store of this repository cannot create objects safely: run the maintenance there',
  });
}

/** Of the installed system; '' where there is none. */
function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return '';
  }
}
