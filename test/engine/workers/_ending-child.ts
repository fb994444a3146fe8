/** A process that ends while its thread is inside a native add-on. */
import { once } from 'node:events';
import { endProcess, startThread } from '../../../engine/workers/mod.ts';

const thread = startThread(new URL('./_calling-thread.ts', import.meta.url), undefined);
await once(thread, 'message');
process.stdout.write('all of it\n');
endProcess(42);
