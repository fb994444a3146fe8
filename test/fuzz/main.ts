/**
 * `npm run fuzz`: a coverage-guided fuzzer of all decoders. Begins with the vectors and the inputs that were kept, and changes what ran new code.
 * `--minutes` (default 1), `--seed` (default: the time), `--keep` puts inputs that ran new code, and findings, into test/fuzz/corpus.txt. Exit code 1 after a finding.
 */
import { setImmediate } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type KeptInput, keepInputs, readCorpus } from './_corpus.ts';
import { Coverage } from './_coverage.ts';
import type { Finding } from './_fuzzer.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, seed: { type: 'string' }, keep: { type: 'boolean', default: false } },
});
const minutes = Number(values.minutes);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!(minutes > 0) || !Number.isSafeInteger(seed)) throw new RangeError('--minutes is a number above 0, --seed an integer');

const coverage = new Coverage();
coverage.start();
const { Fuzzer } = await import('./_fuzzer.ts');
const { fuzzTargets } = await import('./_targets.ts');

const targets = fuzzTargets();
const byName = new Map(targets.map((target) => [target.name, target]));
const kept = readCorpus().flatMap(({ target, bytes }) => (byName.has(target) ? [{ target: byName.get(target)!, bytes }] : []));
const findings = new Map<string, Finding>();
const news: KeptInput[] = [];
const fuzzer = new Fuzzer(
  {
    targets,
    coverage,
    seed,
    onNew: ({ target, bytes }) => news.push({ target: target.name, bytes }),
    onFinding: (finding) => {
      // One of each message for each container.
      const key = `${finding.target.name.split('/')[0]}: ${finding.error.message.replace(/[0-9a-f]{4,}|\d+/g, '…')}`;
      if (findings.has(key)) return;
      findings.set(key, finding);
      news.push({ target: finding.target.name, bytes: finding.bytes });
      console.log(
        `FINDING ${key}\n${finding.target.name} ${Buffer.from(finding.bytes).toString('hex')}\n${finding.error.cause instanceof Error ? finding.error.cause.stack : finding.error.stack}`,
      );
    },
  },
  kept,
);

const began = performance.now();
const seconds = () => (performance.now() - began) / 1000;
const state = () =>
  `${Math.round(seconds())} s, ${fuzzer.executions} executions, ${fuzzer.inputs} inputs (${news.length} new), ${coverage.size} characters run, ${findings.size} findings`;
console.log(`seed ${seed}: ${targets.length} vectors and ${kept.length} kept inputs`);
fuzzer.begin();
let shownAt = 0;
while (seconds() < minutes * 60) {
  fuzzer.step();
  await setImmediate();
  if (seconds() - shownAt < 30) continue;
  shownAt = seconds();
  console.log(state());
}
console.log(`end: ${state()}`);
if (values.keep) keepInputs(news);
process.exitCode = findings.size > 0 ? 1 : 0;
