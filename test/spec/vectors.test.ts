import t, { type Test } from 'tap';
import { LaganError } from '../../repo-format/mod.ts';
import { jsonBytes } from '../../spec/vectors/_vector.ts';
import { makeVectors } from '../../spec/vectors/make.ts';
import { decoders, prepareKey } from './_decoders.ts';
import { readVectorFiles, type VectorFile } from './_vector-files.ts';

const files = readVectorFiles();
for (const { vector } of files) if (vector.container === 'chunk-name') await prepareKey(vector.header.key!);

t.test('the files are what make.ts makes', async (t) => {
  const made = makeVectors();
  t.same(
    files.map(({ path }) => path),
    [...made.keys()].sort(),
  );
  for (const { path, text } of files) t.equal(text, made.get(path), path);
});

t.test('failures outnumber successes', async (t) => {
  const good = files.filter(({ vector }) => vector.expect === 'ok').length;
  t.ok(files.length - good > good, `${files.length - good} failures, ${good} successes`);
});

for (const [container, group] of Map.groupBy(files, ({ vector }) => vector.container)) {
  t.test(`${container}: every vector gives its result or its code`, async (t) => {
    for (const file of group) compare(t, file);
  });
}

function compare(t: Test, { path, vector }: VectorFile): void {
  const { container, header, bytes, expect } = vector;
  const outcome = attempt(() => decoders[container]!(bytes, header));
  if (expect === 'ok') {
    t.equal(outcome.error, undefined, path);
    t.same(JSON.parse(JSON.stringify(outcome.value, jsonBytes) ?? 'null'), JSON.parse(header.result!), path);
    return;
  }
  const { error } = outcome;
  t.ok(error instanceof LaganError, `${path}: ${error ?? 'no error'}`);
  t.equal((error as LaganError).code, expect, `${path}: ${error}`);
  if (header.offset !== undefined) t.equal((error as LaganError).offset, Number(header.offset), `${path}: offset`);
}

function attempt(decode: () => unknown): { value?: unknown; error?: unknown } {
  try {
    return { value: decode() };
  } catch (error) {
    return { error };
  }
}
