import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { specFiles, specFolder, withDumps } from '../../spec/vectors/dump.ts';
import { readVectorFiles } from './_vector-files.ts';

const testFolder = fileURLToPath(new URL('..', import.meta.url));

/** Where each rule of the specification stands. */
function rules(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of specFiles()) {
    const text = readFileSync(`${specFolder}/${name}`, 'utf8');
    for (const [, id] of text.matchAll(/^- \*\*([A-Z]+-\d+)\*\*/gm)) found.set(id!, [...(found.get(id!) ?? []), name]);
  }
  return found;
}

/** Ids in the vectors' headers and in comments `covers: …` of tests. */
function covered(): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path, vector } of readVectorFiles()) for (const id of idsOf(vector.header.covers!)) found.set(id, path);
  const tests = readdirSync(testFolder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'));
  for (const path of tests) {
    const text = readFileSync(`${testFolder}/${path}`, 'utf8');
    for (const [, ids] of text.matchAll(/\/\/ covers: (.*)$/gm)) for (const id of idsOf(ids!)) found.set(id, path);
  }
  return found;
}

function idsOf(text: string): string[] {
  return text.match(/[A-Z]+-\d+/g) ?? [];
}

t.test('every rule has one place', async (t) => {
  for (const [id, places] of rules()) t.equal(places.length, 1, `${id}: ${places}`);
});

t.test('every MUST is in a rule', async (t) => {
  for (const name of specFiles()) {
    const lines = readFileSync(`${specFolder}/${name}`, 'utf8').split('\n');
    for (const line of lines) if (/\bMUST\b/.test(line)) t.match(line, /^- \*\*[A-Z]+-\d+\*\*/, `${name}: ${line}`);
  }
});

t.test('every rule has a vector or a test', async (t) => {
  const known = covered();
  for (const id of rules().keys()) t.ok(known.has(id), `${id} is covered`);
});

t.test('vectors and tests name rules that exist', async (t) => {
  const known = rules();
  for (const [id, path] of covered()) t.ok(known.has(id), `${path}: ${id}`);
});

t.test('worked examples are those of the vectors', async (t) => {
  for (const name of specFiles()) {
    const text = readFileSync(`${specFolder}/${name}`, 'utf8');
    t.equal(text, withDumps(text), `${name}: run spec/vectors/dump.ts`);
  }
});
