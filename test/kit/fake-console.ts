/** The console socket of an emulator: one client at a time, and a log of all output, as QEMU has them. */
import { once } from 'node:events';
import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** The consoles of emulators that have a directory each. */
export const placesIn = (directory: string) => (id: string) => ({
  socketPath: join(directory, id, 'console.sock'),
  logPath: join(directory, id, 'console.log'),
});

/** One emulator's console. */
export class FakeConsole {
  readonly #directory: string;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  /** All that was typed. */
  typed = '';
  /** Whether the guest reads what is typed. */
  isReading = true;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#server = createServer((socket) => {
      this.#clients.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => this.#clients.delete(socket));
      if (!this.isReading) socket.pause();
      else socket.on('data', (chunk) => (this.typed += chunk.toString('latin1')));
    });
  }

  /** Listens in the directory of an emulator. */
  static async open(directory: string): Promise<FakeConsole> {
    mkdirSync(directory, { recursive: true });
    const path = join(directory, 'console.sock');
    rmSync(path, { force: true });
    const fake = new FakeConsole(directory);
    fake.#server.listen(path);
    await once(fake.#server, 'listening');
    onTestFinished(() => fake.close());
    return fake;
  }

  get isConnected(): boolean {
    return this.#clients.size > 0;
  }

  /** What the guest writes. Resolves when the client has taken it: a client that does not read stops the guest. */
  async write(text: string | Buffer): Promise<void> {
    appendFileSync(join(this.#directory, 'console.log'), text);
    await this.send(text);
  }

  /** What the guest writes, without the log. */
  async send(text: string | Buffer): Promise<void> {
    for (const socket of this.#clients) await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#clients) socket.destroy();
  }
}
