/** A thread that is inside calls of a native add-on nearly all the time, as one that starts is, and never ends. */
import { parentPort } from 'node:worker_threads';
import koffi from 'koffi';

parentPort!.postMessage('at work');
for (;;) koffi.struct({ first: 'int', second: 'int' });
