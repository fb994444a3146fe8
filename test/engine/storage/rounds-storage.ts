/**
 * A storage whose time is counted in round trips: a request is answered when nobody makes another one, together with all that were made meanwhile. So what goes in
 * parallel takes one, whatever the machine is busy with.
 */
import {
  type ByteRange,
  type CallOptions,
  type CreateOutcome,
  type GetOptions,
  type ListedObject,
  type ListOptions,
  type Storage,
  withOverrides,
} from '../../../engine/storage/mod.ts';
import { RequestLog } from './request-log.ts';

/** So long nobody makes a request before those under way are answered. */
const quietMs = 25;
const namesPerPage = 1000;

export interface RoundsStorage extends Storage {
  readonly log: RequestLog;
}

/** `inner` itself takes no time. A page of a listing is a request. */
export function countingRounds(inner: Storage): RoundsStorage {
  const log = new RequestLog();
  let round = 0;
  let waiting: (() => void)[] = [];
  let quiet: NodeJS.Timeout | undefined;

  const answerAll = (): void => {
    round++;
    const answered = waiting;
    waiting = [];
    for (const answer of answered) answer();
  };

  const request = async <Result>(what: string, effect: () => Promise<Result>): Promise<Result> => {
    const logged = log.begin(what, round);
    clearTimeout(quiet);
    quiet = setTimeout(answerAll, quietMs);
    await new Promise<void>((resolve) => waiting.push(resolve));
    logged.ended = round;
    return effect();
  };

  async function* list(prefix: string, options?: ListOptions): AsyncGenerator<ListedObject> {
    let page: ListedObject[] = [];
    const found = inner.list(prefix, options)[Symbol.asyncIterator]();
    for (let done = false; !done; page = []) {
      await request(`LIST ${prefix}`, async () => {
        while (page.length < namesPerPage) {
          const next = await found.next();
          done = next.done === true;
          if (done) return;
          page.push(next.value as ListedObject);
        }
      });
      yield* page;
    }
  }

  return withOverrides(inner, {
    log,
    list,
    state: (options?: CallOptions) => request('STATE', () => inner.state(options)),
    get: (name: string, range?: ByteRange, options?: GetOptions) => request(`GET ${name}`, () => inner.get(name, range, options)),
    getEnd: (name: string, last: number, options?: GetOptions) => request(`GET ${name}`, () => inner.getEnd(name, last, options)),
    size: (name: string, options?: CallOptions) => request(`HEAD ${name}`, () => inner.size(name, options)),
    create: (name: string, parts: readonly Uint8Array[], options?: CallOptions): Promise<CreateOutcome> => {
      const bytes = Buffer.concat(parts);
      return request(`PUT ${name}`, () => inner.create(name, [bytes], options));
    },
    createWriter: async (name: string, options?: CallOptions) => {
      const writer = await inner.createWriter(name, options);
      return {
        get sizeBytes() {
          return writer.sizeBytes;
        },
        append: (parts: readonly Uint8Array[]) => writer.append(parts),
        commit: () => request(`PUT ${name}`, () => writer.commit()),
        abort: () => writer.abort(),
      };
    },
    removeLitter: (options?: CallOptions) => request('LITTER', () => inner.removeLitter(options)),
    delete: (names: readonly string[], options?: CallOptions) => request('DELETE', () => inner.delete(names, options)),
  });
}
