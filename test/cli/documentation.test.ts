import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import t from 'tap';
import { buildProgram } from '../../bin/program.ts';
import { exitCodeMeanings } from '../../bin/shared/errors.ts';
import { Capture, projectFolder } from './cli.ts';

const read = (path: string) => readFileSync(join(projectFolder, path), 'utf8');
const commandLine = read('docs/command-line.md');
const jsonOutput = read('docs/json-output.md');
const program = await buildProgram('all', { stdout: new Capture(), stderr: new Capture() });

/** All commands with their whole names. */
function* commandsBelow(command: Command): Generator<Command> {
  for (const below of command.createHelp().visibleCommands(command)) {
    if (below.name() === 'help') continue;
    yield below;
    yield* commandsBelow(below);
  }
}

t.test('docs/command-line.md names every command and every option', async (t) => {
  for (const command of commandsBelow(program)) {
    t.ok(commandLine.includes(command.name()), command.name());
    for (const { long } of command.options) t.ok(commandLine.includes(long ?? ''), `${command.name()} ${long}`);
  }
  for (const { long } of program.options) t.ok(commandLine.includes(long ?? ''), `${long}`);
});

t.test('docs/command-line.md has every exit code', async (t) => {
  for (const [exitCode] of exitCodeMeanings()) t.match(commandLine, new RegExp(`^\\| ${exitCode} \\| `, 'm'));
});

t.test('docs/json-output.md names every type of message and every command with a schema', async (t) => {
  for (const file of readdirSync(join(projectFolder, 'bin/schemas'))) {
    const text = read(join('bin/schemas', file));
    const name = file.replace('.schema.json', '');
    if (name !== 'common') t.match(jsonOutput, new RegExp(`\`${name}|"type":"${name}"`), name);
    for (const [, type] of text.matchAll(/"type": \{ "const": "([a-z-]+)" \}/g))
      t.match(jsonOutput, new RegExp(`\`${type}\`|"type":"${type}"`), `${name}: ${type}`);
  }
});

t.test('every schema says where its fields come from: each has a title', async (t) => {
  for (const file of readdirSync(join(projectFolder, 'bin/schemas'))) {
    const schema = JSON.parse(read(join('bin/schemas', file))) as { title?: string; $id?: string };
    t.ok(schema.title, file);
    t.equal(schema.$id, file);
  }
});
