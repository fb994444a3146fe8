/** Requests to a store, with when they began and ended: how many there were, and how many of them one after another. */

export interface LoggedRequest {
  /** Such as `GET` and the name of an object, or `LIST` and a prefix. */
  readonly what: string;
  /** On a clock or a counter of the log's owner. */
  readonly begun: number;
  /** Undefined as long as it is under way. */
  ended: number | undefined;
  /** Bytes of bodies. */
  sentBytes: number;
  receivedBytes: number;
}

export class RequestLog {
  readonly requests: LoggedRequest[] = [];

  begin(what: string, at: number): LoggedRequest {
    const request = { what, begun: at, ended: undefined, sentBytes: 0, receivedBytes: 0 };
    this.requests.push(request);
    return request;
  }

  /** Requests that are over are forgotten. */
  clear(): void {
    this.requests.length = 0;
  }

  get sentBytes(): number {
    return this.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
  }

  get receivedBytes(): number {
    return this.requests.reduce((sum, { receivedBytes }) => sum + receivedBytes, 0);
  }

  /** A longest chain of requests, each of which began after the one before had ended: with the same latency of each, what takes the time. */
  get longestChain(): LoggedRequest[] {
    const ending = this.requests.filter(({ ended }) => ended !== undefined).sort((left, right) => left.ended! - right.ended!);
    const before = new Map<LoggedRequest, { depth: number; previous: LoggedRequest | undefined }>();
    let deepest: LoggedRequest | undefined;
    let over = 0;
    for (const request of [...this.requests].sort((left, right) => left.begun - right.begun)) {
      for (; over < ending.length && ending[over]!.ended! <= request.begun; over++) {
        if (deepest === undefined || before.get(ending[over]!)!.depth > before.get(deepest)!.depth) deepest = ending[over];
      }
      before.set(request, { depth: 1 + (deepest === undefined ? 0 : before.get(deepest)!.depth), previous: deepest });
    }
    let last = this.requests.reduce<LoggedRequest | undefined>(
      (found, request) => (found === undefined || before.get(request)!.depth > before.get(found)!.depth ? request : found),
      undefined,
    );
    const chain: LoggedRequest[] = [];
    for (; last !== undefined; last = before.get(last)!.previous) chain.unshift(last);
    return chain;
  }

  /** What there was, for people. */
  get summary(): string {
    const chain = this.longestChain;
    const parallel = this.requests.filter((request) => !chain.includes(request)).map(({ what }) => what);
    return `${this.requests.length} requests, ${chain.length} one after another: ${chain.map(({ what }) => what).join('; ')}. Beside them: ${parallel.join('; ')}`;
  }
}
