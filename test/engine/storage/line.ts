/** A line to a server on loopback that can be cut, slowed to a stop, or made to lose an answer. */
import net from 'node:net';
import type { Test } from 'tap';

export class Line {
  /** Answers (pieces of them) that came from the server so far. */
  answers = 0;
  #isStalled = false;
  #loseAt: number | undefined;
  #cutNext = 0;
  #port: number;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  /** `at`: the port to listen at; any if it is 0. */
  static async start(t: Test, port: number, at = 0): Promise<Line> {
    const proxy = new Line(port);
    await new Promise<void>((resolve) => proxy.#server.listen(at, '127.0.0.1', resolve));
    t.teardown(() => proxy.#stop());
    return proxy;
  }

  private constructor(port: number) {
    this.#port = port;
    this.#server = net.createServer((client) => {
      if (this.#cutNext-- > 0) client.destroy();
      else this.#join(client, net.connect(this.#port, '127.0.0.1'));
    });
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** From now on nothing comes back any more. */
  stall(): void {
    this.#isStalled = true;
  }

  goOn(): void {
    this.#isStalled = false;
  }

  /** Cuts the connection in the place of the n-th piece of an answer from now on, once. */
  loseAnswer(number = 1): void {
    this.#loseAt = this.answers + number;
  }

  /** Cuts each of the next connections as soon as it stands. */
  cutNext(connections: number): void {
    this.#cutNext = connections;
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** New connections go to another server. */
  leadTo(port: number): void {
    this.#port = port;
  }

  #join(client: net.Socket, server: net.Socket): void {
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    client.on('data', (bytes) => server.write(bytes));
    server.on('data', (bytes) => {
      if (this.#isStalled) return;
      if (++this.answers === this.#loseAt) client.destroy();
      else client.write(bytes);
    });
  }

  #stop(): Promise<void> {
    this.cut();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
