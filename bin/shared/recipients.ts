/** Public keys of people who can open a repository without having been at the machine that made it, such as the operator of a platform. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { Context } from './context.ts';
import type { Engine, NewSlot } from './engine.ts';

/** Slots for the recipients of the configuration, and for others: each a public key or a file that holds one, perhaps with `label=` before it. */
export async function recipientSlots(context: Context, engine: Engine, named: readonly string[]): Promise<NewSlot[]> {
  const { recipient: configured = [] } = await context.configuration();
  const slots: NewSlot[] = [];
  for (const text of [...configured, ...named]) slots.push(await recipientSlot(context, engine, text));
  return slots;
}

/** One of them. Code: malformed-key. */
export async function recipientSlot(context: Context, engine: Engine, text: string): Promise<NewSlot> {
  const [, label = 'recipient', key] = /^(?:([^=/]+)=)?(.*)$/s.exec(text)!;
  const path = context.resolve(key!);
  const publicKey = engine.parseRecipient(existsSync(path) ? await readFile(path, 'utf8') : key!);
  return { secret: { kind: 'recipient', publicKey }, label };
}
