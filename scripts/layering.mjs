// Proves the direction of dependencies: bin -> k8s -> engine -> repo-format, never back; a folder's private
// files (`_name.ts`) are imported from within the folder only; other folders are entered by their door (`mod.ts`).
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import glob from 'fast-glob';

const layers = ['repo-format', 'engine', 'k8s', 'bin'];
const problems = [];
const graph = new Map();
const visited = new Set();

for (const file of glob.sync('{repo-format,engine,k8s,bin}/**/*.ts', { ignore: ['**/assembly/**'] })) {
  const imports = [...readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s[^;]*?from '(\.[^']+)'/gm)].map((match) =>
    normalize(join(dirname(file), match[1])),
  );
  graph.set(file, imports);
  for (const target of imports) check(file, target);
}
for (const file of graph.keys()) findCycle(file, []);

if (problems.length > 0) {
  console.error([...new Set(problems)].join('\n'));
  process.exit(1);
}

function check(file, target) {
  const [from, to] = [layers.indexOf(file.split('/')[0]), layers.indexOf(target.split('/')[0])];
  if (to > from) problems.push(`${file}: imports ${target}, which lies above it`);
  const sameFolder = dirname(file) === dirname(target);
  const name = target.split('/').at(-1);
  if (name.startsWith('_') && !sameFolder) problems.push(`${file}: imports ${target}, which is private to its folder`);
  const crossesFolder = !dirname(file).startsWith(dirname(target)) && !sameFolder;
  if (crossesFolder && name !== 'mod.ts' && !target.startsWith('bin/'))
    problems.push(`${file}: enters ${dirname(target)} by ${name}, not by its door mod.ts`);
}

function findCycle(file, trail) {
  if (trail.includes(file)) {
    problems.push(`import cycle: ${[...trail.slice(trail.indexOf(file)), file].join(' -> ')}`);
    return;
  }
  if (visited.has(file)) return;
  for (const next of graph.get(file) ?? []) findCycle(next, [...trail, file]);
  visited.add(file);
}
