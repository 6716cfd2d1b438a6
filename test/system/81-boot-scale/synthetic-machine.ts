/**
 * The HTTP requests of a booting machine: iPXE's scripts, kernel and initrd, and then what the node's init asks for. It
 * retries as the real programs do, but with shorter pauses.
 */
import { createHash, randomInt } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { gunzipSync } from 'node:zlib';
import { request } from '../../../src/protocol/http/http.ts';

/** A machine to boot. */
export interface SyntheticMachine {
  /** host0's IPv4 address. */
  readonly host0: string;
  /** The machine's own IPv4 address. */
  readonly address: string;
  /** The MAC of its network card. */
  readonly mac: string;
  readonly uuid: string;
}

/** The result of a boot. */
export interface Booted {
  readonly address: string;
  /** The machine's id, from the kernel's command line. */
  readonly machine: string;
  /** SHA-256 of the file that arrived. */
  readonly kernel: string;
  /** SHA-256 of the file that arrived. */
  readonly initrd: string;
  /** The uncompressed tar of its overlay, as text. */
  readonly overlay: string;
  /** SHA-256 of its secrets; '' if they are only zeros. */
  readonly secrets: string;
  /** The HTTP status of a second request for the secrets. */
  readonly secondTime: number;
  /** How often the machine began to boot. */
  readonly attempts: number;
  /** How often it was told to wait. */
  readonly waits: number;
  /** How often it asked again, because an answer failed or did not come. */
  readonly retries: number;
  /** How often it resumed a download. */
  readonly resumed: number;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The body is not as long as the Content-Length says. */
  readonly broken: boolean;
}

/** A real machine waits for 5 s, and gives up waiting for its overlay after ten minutes. */
const PAUSE_MS = 200;
const OVERLAY_TRIES = 60;
const SILENCE_MS = 4_000;

/** One boot of one machine. */
export class Boot {
  readonly #machine: SyntheticMachine;
  readonly #signal: AbortSignal;
  #waits = 0;
  #retries = 0;
  #resumed = 0;

  constructor(machine: SyntheticMachine, signal: AbortSignal) {
    this.#machine = machine;
    this.#signal = signal;
  }

  /** Boots until the machine has everything. @throws an AbortError when the signal is aborted */
  async run(): Promise<Booted> {
    for (let attempts = 1; ; attempts++) {
      const booted = await this.#once();
      if (booted !== undefined) {
        const { address } = this.#machine;
        return { ...booted, address, attempts, waits: this.#waits, retries: this.#retries, resumed: this.#resumed };
      }
    }
  }

  /** Tries to boot once. @returns undefined if the machine must begin again */
  async #once() {
    await this.#untilText('/boot.ipxe');
    const { uuid, mac } = this.#machine;
    const script = await this.#untilText(`/boot/${mac.replaceAll(':', '-')}.ipxe?uuid=${uuid}&product=Synthetic`);
    const line = /^kernel http:\/\/[^/]+(\/\S+) (.*) \|\| goto failed$/m.exec(script);
    const initrd = /^initrd --name initrd.img http:\/\/[^/]+(\/\S+) /m.exec(script)?.[1];
    // The script is a refusal with its reason: iPXE asks again.
    if (line?.[1] === undefined || initrd === undefined) return this.#again();
    const word = (name: string) =>
      new RegExp(`(?:^| )${name.replace('.', '\\.')}=(\\S+)`).exec(line[2] ?? '')?.[1] ?? '';
    const files = [await this.#download(line[1]), await this.#download(initrd)];
    const attempt = word('mesh.boot');
    const url = new URL(word('mesh.overlay'));
    const overlay = await this.#overlay(url.pathname);
    if (overlay === undefined) return this.#again();
    for (const stage of ['overlay', 'packages', 'agent']) await this.#ask(`/stage/${attempt}/${stage}`);
    const secrets = await this.#untilAnswered(`/secrets/${word('mesh.token')}`);
    // The secrets were sent on a connection that broke. They are not given twice, so the machine boots again.
    if (secrets.status !== 200) return this.#again();
    const { status } = await this.#untilAnswered(`/secrets/${word('mesh.token')}`);
    const [kernelHash = '', initrdHash = ''] = files;
    return {
      machine: word('mesh.machine'),
      kernel: kernelHash,
      initrd: initrdHash,
      overlay: gunzipSync(overlay).toString('latin1'),
      secrets: secrets.body.some((byte) => byte !== 0) ? createHash('sha256').update(secrets.body).digest('hex') : '',
      secondTime: status,
    };
  }

  async #again(): Promise<undefined> {
    await this.#pause();
    return undefined;
  }

  async #pause(): Promise<void> {
    this.#retries++;
    await sleep(PAUSE_MS, undefined, { signal: this.#signal });
  }

  async #untilText(path: string): Promise<string> {
    return (await this.#untilAnswered(path)).body.toString();
  }

  /** Asks until there is a whole answer that does not tell to wait. */
  async #untilAnswered(path: string): Promise<Answer> {
    for (;;) {
      const answer = await this.#ask(path);
      if (answer?.status === 503) {
        this.#waits++;
        await sleep(Number(answer.headers['retry-after']) * 1000, undefined, { signal: this.#signal });
      } else if (answer !== undefined && !answer.broken) return answer;
      else await this.#pause();
    }
  }

  /**
   * Downloads a file as iPXE does, which resumes a broken download. A third of all transfers is broken in the middle.
   * @returns the SHA-256 of the file
   */
  async #download(path: string): Promise<string> {
    const hash = createHash('sha256');
    let [have, etag] = [0, ''];
    for (;;) {
      const breakAt = randomInt(3) === 0 ? randomInt(1, 200_000) : Number.POSITIVE_INFINITY;
      const resume = have > 0 ? { range: `bytes=${have}-`, 'if-range': etag } : {};
      const answer = await this.#ask(path, resume, breakAt);
      if (have > 0 && answer?.status === 206) this.#resumed++;
      if (answer === undefined || answer.status !== (have > 0 ? 206 : 200)) {
        await this.#pause();
        continue;
      }
      etag = answer.headers.etag ?? '';
      hash.update(answer.body);
      have += answer.body.length;
      if (!answer.broken) return hash.digest('hex');
    }
  }

  async #overlay(path: string): Promise<Buffer | undefined> {
    const [, sha256] = /([0-9a-f]{64})/.exec(path) ?? [];
    for (let tries = 0; tries < OVERLAY_TRIES; tries++) {
      const answer = await this.#ask(path);
      if (answer?.status === 200 && createHash('sha256').update(answer.body).digest('hex') === sha256) {
        return answer.body;
      }
      await this.#pause();
    }
    return undefined;
  }

  /**
   * Sends one request.
   * @param breakAt the client closes the connection after this many bytes
   * @returns undefined without an answer
   */
  #ask(path: string, headers: Readonly<Record<string, string>> = {}, breakAt = Infinity): Promise<Answer | undefined> {
    this.#signal.throwIfAborted();
    const { host0, address } = this.#machine;
    return new Promise((resolve) => {
      const asked = request({ host: host0, port: 80, path, localAddress: address, headers, agent: false });
      asked.setTimeout(SILENCE_MS, () => asked.destroy());
      asked.on('error', () => resolve(undefined));
      asked.on('response', (response) => {
        void this.#take(response, breakAt).then(resolve);
      });
      asked.end();
    });
  }

  #take(response: IncomingMessage, breakAt: number): Promise<Answer> {
    const { statusCode: status = 0, headers } = response;
    const pieces: Buffer[] = [];
    let length = 0;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    response.on('data', (piece: Buffer) => {
      pieces.push(piece);
      length += piece.length;
      if (length > breakAt) response.destroy();
    });
    response.on('error', () => {});
    response.on('close', () => {
      const body = Buffer.concat(pieces);
      resolve({ status, headers, body, broken: body.length !== Number(headers['content-length']) });
    });
    return promise;
  }
}
