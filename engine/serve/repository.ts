/** A repository that is served: its storage, and what the server may know of it without a key. */
import {
  decodeFormatFile,
  footerLayout,
  isLaganError,
  limits,
  objectNames,
  parseObjectName,
  parseSealedFooter,
  parseSealedHeader,
  sealedLayout,
} from '../../repo-format/mod.ts';
import type { Storage } from '../storage/mod.ts';
import { type ObjectCheck, objectCheckOf, SizeCheck } from './_object-check.ts';
import { Refusal } from './_refusal.ts';
import { type Grant, mayCreate, mayDelete, mayReadData } from './grants.ts';
import { serveLimits } from './limits.ts';

/** Who may create and delete what: by the names of the format, unless a test lets everything pass. */
export interface Admission {
  mayDelete(grant: Grant, name: string): boolean;
  /** Throws a {@link Refusal}. */
  check(name: string, options: { grant: Grant; repositoryId: Uint8Array | undefined }): ObjectCheck;
}

/** Of an object; `isTail`: its last bytes were asked for, however many they are. */
export interface WantedRange {
  readonly offset: number;
  readonly length: number;
  readonly isTail: boolean;
}

export class ServedRepository {
  readonly storage: Storage;
  readonly #admission: Admission;
  #id: Uint8Array | undefined;
  /** Of packs; the oldest knowledge first. */
  readonly #contents = new Map<string, number | null>();

  constructor(storage: Storage, admission: Admission = formatAdmission) {
    this.storage = storage;
    this.#admission = admission;
  }

  /** What an object of that name must be. Codes: forbidden, and those of the storage. */
  async checkOf(name: string, grant: Grant): Promise<ObjectCheck> {
    return this.#admission.check(name, { grant, repositoryId: await this.#repositoryId() });
  }

  /** Throws `forbidden` if the grant does not let anybody delete it. */
  expectDeletable(name: string, grant: Grant): void {
    if (this.#admission.mayDelete(grant, name)) return;
    throw new Refusal(403, 'forbidden', `${grant.name} may not delete ${name.slice(0, 200)}`, {
      object: name.slice(0, 200),
      hint: roleHint,
    });
  }

  /**
   * What of a range the grant lets anybody have. Of packs of data that is for a writer their header and contents, which tell where chunks are, and no block; a range up to the
   * end is cut to that. Codes: forbidden, and those of the storage.
   */
  async readable(name: string, grant: Grant, wanted: WantedRange): Promise<WantedRange> {
    if (mayReadData(grant) || parseObjectName(name)?.type !== 'pack') return wanted;
    const contents = await this.#contentsOfData(name);
    const end = wanted.offset + wanted.length;
    if (contents === null || wanted.offset >= contents || end <= sealedLayout.headerSizeBytes) return wanted;
    if (wanted.isTail) return { offset: contents, length: end - contents, isTail: true };
    throw new Refusal(403, 'forbidden', `${grant.name} may not read the contents of files`, {
      object: name,
      hint: 'restoring needs a token with the role reader',
    });
  }

  /** Where the contents of a pack of data begin; null if it is one of metadata. */
  async #contentsOfData(name: string): Promise<number | null> {
    const known = this.#contents.get(name);
    if (known !== undefined) return known;
    const { kind } = parseSealedHeader(await this.storage.get(name, { offset: 0, length: sealedLayout.headerSizeBytes }));
    const footer = await this.storage.get(name, { last: footerLayout.sizeBytes });
    const contents = kind === 'pack' ? parseSealedFooter(footer).offset : null;
    if (this.#contents.size >= serveLimits.packsRemembered) this.#contents.delete(this.#contents.keys().next().value!);
    this.#contents.set(name, contents);
    return contents;
  }

  /** Undefined as long as the repository is being made. */
  async #repositoryId(): Promise<Uint8Array | undefined> {
    if (this.#id !== undefined) return this.#id;
    try {
      const bytes = await this.storage.get(objectNames.format, undefined, { limitBytes: limits.clearObjectSizeBytes });
      this.#id = decodeFormatFile(bytes).repositoryId;
      return this.#id;
    } catch (error) {
      if (isLaganError(error, 'not-found')) return undefined;
      throw error;
    }
  }
}

const formatAdmission: Admission = {
  mayDelete,
  check(name, { grant, repositoryId }) {
    const isProbe = name.startsWith('probe/');
    const parsed = parseObjectName(name);
    if (parsed === null && !isProbe) throw new Refusal(400, 'usage', `${JSON.stringify(name.slice(0, 200))} is no name of an object`);
    if (!mayCreate(grant, name))
      throw new Refusal(403, 'forbidden', `${grant.name} may not create ${name}`, { object: name, hint: roleHint });
    if (parsed === null) return new SizeCheck(serveLimits.probeSizeBytes);
    // Only who may make a repository gets here before there is one.
    if (repositoryId === undefined && !grant.roles.includes('owner')) {
      throw new Refusal(404, 'no-repository', 'there is no repository here yet', {
        hint: 'make it there with lagan init, by a token with the role owner',
        found: 'empty',
      });
    }
    return objectCheckOf(parsed, { name, repositoryId });
  },
};

export const roleHint =
  'the roles of a token are shown by lagan serve token list; with --append-only nobody may more than writers and readers';
