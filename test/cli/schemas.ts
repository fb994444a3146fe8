/** The published JSON schemas, made strict: a property that no schema names is an error here. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { projectFolder } from './cli.ts';

const folder = join(projectFolder, 'bin/schemas');
const ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
for (const file of readdirSync(folder)) ajv.addSchema(strict(JSON.parse(readFileSync(join(folder, file), 'utf8')), ''), file);

export const schemaNames: readonly string[] = readdirSync(folder).map((file) => file.replace('.schema.json', ''));

/** What is wrong with the value by the schema of that command; empty if nothing is. */
export function problems(name: string, value: unknown): string[] {
  const validate = ajv.getSchema(`${name}.schema.json`) as ValidateFunction;
  if (validate(value)) return [];
  // Of a choice by `type` only what is wrong with the right branch is of interest.
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'const' && keyword !== 'oneOf');
  return errors.map(({ instancePath, message, params }) => `${name} ${instancePath} ${message} ${JSON.stringify(params)}`);
}

/** Definitions whose name ends in Fields are parts of others and stay open. */
function strict(schema: unknown, name: string): object {
  if (Array.isArray(schema)) return schema.map((item) => strict(item, ''));
  if (typeof schema !== 'object' || schema === null) return schema as never;
  const entries = Object.entries(schema).map(
    ([key, value]) => [key, key === 'required' || key === 'enum' ? value : strict(value, key)] as const,
  );
  const isWhole = 'type' in schema && schema.type === 'object' && !name.endsWith('Fields');
  return { ...Object.fromEntries(entries), ...(isWhole && { unevaluatedProperties: false }) };
}
