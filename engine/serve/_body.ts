/** The bodies of requests and answers, at the speed of whoever is at the other end, within limits: who is too slow is cut off. */
import type { Readable } from 'node:stream';
import { Refusal } from './_refusal.ts';
import type { ServeLimits } from './limits.ts';

/** What Node's requests by HTTP/1 and HTTP/2 have in common. */
export interface IncomingRequest extends Readable {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The same of answers. */
export interface OutgoingAnswer {
  readonly headersSent: boolean;
  readonly destroyed?: boolean;
  writeHead(status: number, headers: Record<string, string | number>): unknown;
  write(bytes: Uint8Array): boolean;
  end(bytes?: Uint8Array | string): unknown;
  writeContinue(): void;
  destroy(error?: Error): unknown;
  once(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: () => void): unknown;
}

/** Cuts off whoever is silent for too long, or too slow on the whole. */
export class Pace {
  readonly #limits: ServeLimits;
  readonly #cut: (error: Refusal) => void;
  readonly #begun = performance.now();
  #bytes = 0;
  #timer: NodeJS.Timeout;

  constructor(limits: ServeLimits, cut: (error: Refusal) => void) {
    this.#limits = limits;
    this.#cut = cut;
    this.#timer = this.#newTimer();
  }

  moved(bytes: number): void {
    this.#bytes += bytes;
    const { slownessGraceMs, slowestBytesPerSecond } = this.#limits;
    const allowedMs = slownessGraceMs + (this.#bytes / slowestBytesPerSecond) * 1000;
    if (performance.now() - this.#begun > allowedMs) this.#cut(tooSlow());
    this.#timer.refresh();
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  #newTimer(): NodeJS.Timeout {
    return setTimeout(() => this.#cut(tooSlow()), this.#limits.silenceTimeoutMs);
  }
}

/** Gives the bytes of a body to `take`, in order. Codes: those of `take`; malformed (it ends early, or goes on), unavailable (too slow). */
export async function readBody(
  request: IncomingRequest,
  { sizeBytes, limits, take }: { sizeBytes: number; limits: ServeLimits; take: (bytes: Buffer) => Promise<void> | void },
): Promise<void> {
  const pace = new Pace(limits, (error) => request.destroy(error));
  let received = 0;
  try {
    for await (const bytes of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      received += bytes.length;
      pace.moved(bytes.length);
      if (received > sizeBytes) throw cutOff(sizeBytes, received);
      await take(bytes);
    }
  } catch (error) {
    throw (error as { code?: unknown }).code === 'ECONNRESET' ? cutOff(sizeBytes, received) : error;
  } finally {
    pace.end();
  }
  if (received !== sizeBytes) throw cutOff(sizeBytes, received);
}

/** Sends a piece, and waits until there is room for more. Rejects if the other end is gone or does not take it. */
export async function sendPiece(answer: OutgoingAnswer, bytes: Uint8Array, pace: Pace): Promise<void> {
  if (answer.destroyed) throw gone();
  const hasRoom = answer.write(bytes);
  if (!hasRoom) {
    await new Promise<void>((resolve, reject) => {
      const onDrain = () => settle(resolve);
      const onClose = () => settle(() => reject(gone()));
      const settle = (end: () => void) => {
        answer.removeListener('drain', onDrain);
        answer.removeListener('close', onClose);
        end();
      };
      answer.once('drain', onDrain);
      answer.once('close', onClose);
    });
  }
  pace.moved(bytes.length);
}

/** Reads the rest of a body that nobody wants, for a while, so that its sender gets to read the answer. */
export function drain(request: IncomingRequest, limits: ServeLimits): void {
  if (request.readableEnded || request.destroyed) return;
  const timer = setTimeout(() => request.destroy(), limits.drainTimeoutMs);
  for (const event of ['end', 'close', 'error']) request.once(event, () => clearTimeout(timer));
  request.resume();
}

function tooSlow(): Refusal {
  return new Refusal(408, 'unavailable', 'the bytes come too slowly');
}

function cutOff(expected: number, found: number): Refusal {
  return new Refusal(400, 'malformed', `${found} bytes came of ${expected}`, { expected, found });
}

function gone(): Refusal {
  return new Refusal(499, 'unavailable', 'the client went away');
}
