/** Another process, for local-folder-processes.test.ts: `node storage-child.ts ROLE FOLDER`. Says when it is ready, waits for a line. */
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { abandonAll, LocalFolder } from '../../../engine/storage/mod.ts';

const rounds = 40;
const [role, folder] = isMainThread ? process.argv.slice(2) : ['work', workerData as string];
const storage = new LocalFolder(folder!);

if (role === 'race') await race();
if (role === 'write') await writeSlowly();
if (role === 'abandon') await abandon();
if (role === 'work') {
  await (await storage.createWriter('a/thread')).append([Buffer.from('x')]);
  parentPort!.postMessage('ready');
  await new Promise((resolve) => parentPort!.once('message', resolve));
}

async function race(): Promise<void> {
  await whenTold();
  const outcomes: string[] = [];
  for (let round = 0; round < rounds; round++) outcomes.push(await storage.create(`a/${round}`, [Buffer.from(String(process.pid))]));
  console.log(JSON.stringify(outcomes));
}

async function writeSlowly(): Promise<void> {
  const writer = await storage.createWriter(`a/${process.pid}`);
  await writer.append([Buffer.from('x')]);
  await whenTold();
  console.log(await writer.commit());
}

async function abandon(): Promise<void> {
  await (await storage.createWriter('a/main')).append([Buffer.from('x')]);
  const worker = new Worker(new URL(import.meta.url), { workerData: folder });
  await new Promise((resolve) => worker.once('message', resolve));
  console.log(readdirSync(`${folder}/temporary`).length);
  abandonAll();
  process.exit(0);
}

async function whenTold(): Promise<void> {
  console.log('ready');
  for await (const _ of createInterface({ input: process.stdin })) return;
}
