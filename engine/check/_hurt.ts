import { type DamageFinding, type ErrorCode, objectNames, type PackId } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import type { OpenFinding } from './_findings.ts';

/** Which packs and chunks are lost, and by which finding. */
export class Hurt {
  readonly #packs = new Map<PackId, OpenFinding>();
  readonly #chunks = new Map<PackId, NameMap>();
  /** The same names whole, 32 bytes each, as they were told. */
  readonly #lost = new Map<PackId, Uint8Array[]>();
  readonly #findings: OpenFinding[] = [];
  readonly #numbers = new Map<OpenFinding, number>();

  get isEmpty(): boolean {
    return this.#packs.size === 0 && this.#chunks.size === 0;
  }

  /** Packs of which all or something is lost. */
  get packs(): ReadonlySet<PackId> {
    return new Set([...this.#packs.keys(), ...this.#chunks.keys()]);
  }

  pack(pack: PackId, finding: OpenFinding): void {
    if (!this.#packs.has(pack)) this.#packs.set(pack, finding);
  }

  /** The chunks whose names stand one after another in `names`. */
  chunks(pack: PackId, names: Uint8Array, finding: OpenFinding): void {
    let known = this.#chunks.get(pack);
    if (known === undefined) this.#chunks.set(pack, (known = new NameMap()));
    for (let offset = 0; offset < names.length; offset += 32) known.add(names, offset, this.#numberOf(finding));
    const lost = this.#lost.get(pack);
    if (lost === undefined) this.#lost.set(pack, [names]);
    else lost.push(names);
  }

  /** What a report says of each pack: of one that is wholly lost no chunks. */
  reported(): DamageFinding[] {
    return [...this.packs].map((pack) => {
      const whole = this.#packs.get(pack);
      const chunks = whole === undefined ? namesIn(this.#lost.get(pack)!) : [];
      const number = this.#chunks.get(pack)?.get(chunks[0] ?? new Uint8Array(32), 0) ?? -1;
      const { code } = whole ?? this.#findings[number]!;
      return { object: objectNames.pack(pack), pack, chunks, kind: code as ErrorCode };
    });
  }

  /** Whether anything of the pack is lost. */
  has(pack: PackId): boolean {
    return this.#packs.has(pack) || this.#chunks.has(pack);
  }

  /** The finding by which a chunk is lost, if it is. */
  findingOf(pack: PackId, name: Uint8Array): OpenFinding | undefined {
    const number = this.#chunks.get(pack)?.get(name, 0) ?? -1;
    return number >= 0 ? this.#findings[number] : this.#packs.get(pack);
  }

  #numberOf(finding: OpenFinding): number {
    let number = this.#numbers.get(finding);
    if (number === undefined) {
      number = this.#findings.push(finding) - 1;
      this.#numbers.set(finding, number);
    }
    return number;
  }
}

/** Each name once. */
function namesIn(lost: readonly Uint8Array[]): Uint8Array[] {
  const found = new Map<string, Uint8Array>();
  for (const names of lost) {
    for (let offset = 0; offset < names.length; offset += 32) {
      const name = names.slice(offset, offset + 32);
      found.set(Buffer.from(name).toString('latin1'), name);
    }
  }
  return [...found.values()];
}
