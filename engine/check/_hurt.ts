import type { PackId } from '../../repo-format/mod.ts';
import { NameMap } from '../names/mod.ts';
import type { OpenFinding } from './_findings.ts';

/** Which packs and chunks are lost, and by which finding. */
export class Hurt {
  readonly #packs = new Map<PackId, OpenFinding>();
  readonly #chunks = new Map<PackId, NameMap>();
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
