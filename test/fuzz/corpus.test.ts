/** Every input that fuzzing kept, again; and the fuzzer itself, for a moment. */
import t from 'tap';
import { readCorpus } from './_corpus.ts';
import { Coverage } from './_coverage.ts';

const coverage = new Coverage();
coverage.start();
const { Fuzzer } = await import('./_fuzzer.ts');
const { fuzzTargets } = await import('./_targets.ts');
const targets = new Map(fuzzTargets().map((target) => [target.name, target]));

t.test('every decoder: the inputs that were kept give a value that encodes again, or a LaganError', async (t) => {
  const kept = readCorpus();
  for (const { target, bytes } of kept) t.doesNotThrow(() => targets.get(target)!.run(bytes), target);
  t.ok(kept.length > 0, `${kept.length} inputs`);
});

t.test('the fuzzer: finds a decoder that fails on some bytes which only coverage leads to', async (t) => {
  const { parseTrap } = await import('./_trap.ts');
  const seed = new Uint8Array(8);
  const findings: string[] = [];
  const fuzzer = new Fuzzer(
    {
      targets: [{ name: 'trap/trap', seed, run: parseTrap }],
      coverage,
      seed: 1,
      onNew: () => {},
      onFinding: ({ error }) => findings.push(error.message),
    },
    [],
  );
  fuzzer.begin();
  for (let batch = 0; batch < 200 && findings.length === 0; batch++) fuzzer.step();
  t.same(findings.slice(0, 1), ['found'], `after ${fuzzer.executions} executions`);
});
