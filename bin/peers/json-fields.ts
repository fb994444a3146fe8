/** What the peers print as JSON, read with care: it is another program's, and its version may be another. */
import { LaganError } from '../shared/errors.ts';
import { parseTime, type Time } from '../shared/times.ts';
import type { PeerName } from './peer.ts';

export class JsonFields {
  readonly #peer: PeerName;
  readonly #value: unknown;

  constructor(peer: PeerName, value: unknown) {
    this.#peer = peer;
    this.#value = value;
  }

  static parse(peer: PeerName, json: string): JsonFields {
    try {
      return new JsonFields(peer, JSON.parse(json));
    } catch (cause) {
      throw new LaganError('malformed', `what ${peer} printed is no JSON`, {
        cause,
        object: peer,
        hint: `is this version of ${peer} a supported one?`,
      });
    }
  }

  at(...keys: string[]): JsonFields {
    const value = keys.reduce<unknown>((above, key) => (above as Record<string, unknown> | null | undefined)?.[key], this.#value);
    return new JsonFields(this.#peer, value);
  }

  /** The items; none if it is missing or null. */
  list(): JsonFields[] {
    if (this.#value === undefined || this.#value === null) return [];
    if (!Array.isArray(this.#value)) throw this.#wrong('a list');
    return this.#value.map((item) => new JsonFields(this.#peer, item));
  }

  /** The text; `otherwise`, if given, where it is missing. */
  text(otherwise?: string): string {
    if (typeof this.#value === 'string') return this.#value;
    if (otherwise !== undefined && (this.#value === undefined || this.#value === null)) return otherwise;
    throw this.#wrong('text');
  }

  count(): number | undefined {
    return typeof this.#value === 'number' && Number.isSafeInteger(this.#value) && this.#value >= 0 ? this.#value : undefined;
  }

  /** RFC 3339; without a zone it is UTC. */
  time(): Time {
    const text = this.text();
    return parseTime(/(Z|[+-]\d\d:\d\d)$/.test(text) ? text : `${text}Z`, this.#peer);
  }

  /** Names and their texts. */
  entries(): [string, string][] {
    const names = Object.keys((this.#value ?? {}) as object);
    return names.map((name) => [name, this.at(name).text()]);
  }

  #wrong(expected: string): LaganError {
    return new LaganError('malformed', `what ${this.#peer} printed has no ${expected} where one is expected`, {
      object: this.#peer,
      expected,
      found: this.#value,
      hint: `is this version of ${this.#peer} a supported one?`,
    });
  }
}
