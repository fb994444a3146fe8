/** What opens the repositories of a kill run beside the key file of all. */
import { cheapCost } from '../engine/repository/sample.ts';

/** Of the second repository. */
export const secondSecret = { kind: 'key-file', secret: new Uint8Array(32).fill(5) } as const;

/** The n-th password, and the slot that is made for it. */
export function passwordSecret(number: number) {
  return { kind: 'password', password: `password ${number}` } as const;
}

export function passwordSlot(number: number) {
  return { secret: { ...passwordSecret(number), cost: cheapCost }, label: passwordLabel(number) };
}

export function passwordLabel(number: number): string {
  return `password-${number}`;
}
