/** Finds programs on PATH and asks them for their version. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';

/** The file that a shell would start; undefined if there is none. */
export function findProgram(name: string, path = process.env.PATH ?? ''): string | undefined {
  return path
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

/** What `program` prints first, or why it prints nothing. */
export function askVersion(
  program: string,
  options: { arguments: readonly string[]; environment: Record<string, string> },
): { version: string } | { problem: string } {
  const { status, stdout, stderr, error } = spawnSync(program, options.arguments, {
    env: options.environment,
    encoding: 'utf8',
    timeout: 30_000,
  });
  const firstLine =
    `${stdout ?? ''}\n${stderr ?? ''}`
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? '';
  if (error) return { problem: `${program} does not start: ${error.message}` };
  if (status !== 0) return { problem: `${program} ${options.arguments.join(' ')} ended with exit code ${status}: ${firstLine}` };
  return { version: firstLine };
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
