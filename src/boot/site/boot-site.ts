/**
 * host0's boot server: all that a machine fetches by HTTP, from its first script to its secrets, in this order:
 *
 *     GET /boot.ipxe                                the first script
 *     GET /boot/<MAC with dashes>.ipxe?<hardware>   the machine's own script; 503 with Retry-After while too many load
 *     GET /image/<generation>/vmlinuz, initrd.img
 *     GET /stage/<attempt>/<stage>?detail=…         a report of the machine
 *     GET /overlay/<attempt>/<SHA-256>.apkovl.tar.gz   only to the address at which the attempt runs
 *     GET /secrets/<token>                          once, and only to that address and network card
 *     GET /isos/<path>                              a file below /host0/isos
 *     GET /alpine/<generation>/<path>               a file of the mirror; `current` for the generation that machines begin with
 *     GET /tftp/<file>                              the files of TFTP, for firmware that boots by HTTP (option 93: 15, 16)
 *
 * The server speaks plain HTTP, and the segment is trusted as far as its cables go: docs/boot.md says what that means.
 */
import { open, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { openBelow, unknownPath } from '../../disk/published-file.ts';
import { type Ipv4, isIpv4 } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import type { HttpSighting } from '../frames/sighting.ts';
import type { Attempt } from './attempts.ts';
import { BootRequestHandler, type BootRequestHandlerInput, type BootRequestSource } from './boot-request-handler.ts';
import { parseHardware } from './hardware.ts';
import { entryScript } from './ipxe-script.ts';
import { sendFile } from './published-file.ts';
import { SharedFiles } from './shared-files.ts';

/** What the boot server needs. */
export interface BootSiteInput extends BootRequestHandlerInput {
  /** The MAC that has the lease of an address, where host0's DHCP server gives the addresses. */
  readonly leasedTo: (device: string, address: Ipv4) => Promise<Mac | undefined>;
  /** An uncompressed tar. */
  readonly secretsOf: (machine: MachineId) => Promise<Uint8Array>;
  /** The directory of the images; each generation is a directory in it. */
  readonly images: string;
  /** The directory `/host0/isos`. */
  readonly isos: string;
  /** The directory of the mirror's generations; each is a directory in it. */
  readonly mirror: string;
  /** The directory that TFTP serves, too. */
  readonly bootFiles: string;
}

/** The socket that a request came in on: host0's device and address on a segment. */
export type BootEndpoint = Pick<BootRequestSource, 'device' | 'host0'>;

interface Visit extends BootRequestSource {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: URLSearchParams;
}

type Route = readonly [RegExp, (visit: Visit, part: string, rest: string) => Promise<void>];

const DETAIL_MAX = 400;
const REASON_MAX = 200;
const REFUSED_LINKS_MAX = 100;

/** Answers the HTTP requests of booting machines. */
export class BootSite {
  readonly #input: BootSiteInput;
  readonly #requestHandler: BootRequestHandler;
  readonly #shared: SharedFiles;
  /** The links that the journal has told of. */
  readonly #refusedLinks = new Set<string>();
  readonly #routes: readonly Route[] = [
    [/^\/boot\.ipxe$/, (visit) => sendText(visit, entryScript(visit.host0))],
    [/^\/boot\/([\da-f]{2}(?:-[\da-f]{2}){5})\.ipxe$/i, (visit, mac) => this.#script(visit, mac)],
    [/^\/image\/([\da-f]{1,64}\/(?:vmlinuz|initrd\.img))$/, (visit, path) => this.#image(visit, path)],
    [/^\/stage\/([\da-f]{16})\/([a-z-]{1,20})$/, (visit, attempt, stage) => this.#stage(visit, attempt, stage)],
    [/^\/overlay\/([\da-f]{16})\/[\da-f]{64}\.apkovl\.tar\.gz$/, (visit, attempt) => this.#overlay(visit, attempt)],
    [/^\/secrets\/([\da-f]{32})$/, (visit, token) => this.#secrets(visit, token)],
    [/^\/isos\/(.+)$/, (visit, path) => this.#iso(visit, path)],
    [/^\/alpine\/(\d{1,9}|current)\/(.+)$/, (visit, number, path) => this.#mirror(visit, number, path)],
    [/^\/tftp\/([\w.-]+)$/, (visit, path) => this.#file(visit, this.#input.bootFiles, path)],
  ];

  constructor(input: BootSiteInput) {
    this.#input = input;
    this.#requestHandler = new BootRequestHandler(input);
    this.#shared = new SharedFiles(input.clock);
  }

  /** Answers a request that came in on a boot segment's socket. Never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse, endpoint: BootEndpoint): Promise<void> {
    const peer = request.socket.remoteAddress ?? '';
    const [path = '', search = ''] = (request.url ?? '').split('?', 2);
    if (!isIpv4(peer)) return void response.destroy();
    const source = { ...endpoint, peer };
    const askedMs = this.#input.clock.nowMs();
    this.#see(source, path, askedMs, { type: 'asked' });
    response.once('close', () => {
      const { statusCode: status, writableFinished } = response;
      const ended = { type: 'broken off', stalled: fellSilent(request) } as const;
      this.#see(source, path, askedMs, writableFinished ? { type: 'answered', status } : ended);
    });
    try {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        // RFC 9110 §15.5.6.
        response.writeHead(405, { allow: 'GET, HEAD', 'content-length': 0 }).end();
        return;
      }
      await this.#find(path)({ ...source, request, response, query: new URLSearchParams(search) });
    } catch (thrown) {
      this.#fail(response, MeshError.from(thrown), peer);
    }
  }

  #see({ device, peer }: BootRequestSource, asked: string, askedMs: number, outcome: HttpSighting['outcome']): void {
    const { attempts, clock, onSighting } = this.#input;
    // Sightings are shown and logged. A token must not be.
    const path = asked.startsWith('/secrets/') ? '/secrets' : asked;
    const mac = attempts.at(peer)?.mac;
    onSighting({ kind: 'http', atMs: clock.nowMs(), askedMs, device, ipv4: peer, path, outcome, ...(mac && { mac }) });
  }

  #find(path: string): (visit: Visit) => Promise<void> {
    for (const [pattern, answer] of this.#routes) {
      const match = pattern.exec(path);
      if (match !== null) return (visit) => answer(visit, match[1] ?? '', match[2] ?? '');
    }
    throw unknownPath(path);
  }

  async #script(visit: Visit, mac: string): Promise<void> {
    const answer = await this.#requestHandler.answer(parseHardware(mac, visit.query), visit);
    if (answer.type === 'script') return sendText(visit, answer.text);
    visit.response.writeHead(503, { 'retry-after': `${answer.againSec}`, 'content-length': 0 }).end();
  }

  async #image({ request, response, peer }: Visit, path: string): Promise<void> {
    await sendFile(request, response, await openBelow(this.#input.images, path), path, this.#shared);
    if (path.endsWith('initrd.img')) this.#loaded(peer);
  }

  /** The machine at an address has its kernel and initrd: the next one of the queue may load. */
  #loaded(peer: Ipv4): void {
    const loader = this.#input.attempts.at(peer);
    if (loader !== undefined) this.#input.loadLimiter.leave(loader.mac);
  }

  async #stage(visit: Visit, id: string, stage: string): Promise<void> {
    const { machine } = this.#attemptOf(visit, id);
    const detail = visit.query.get('detail')?.slice(0, DETAIL_MAX);
    const { clock, onSighting } = this.#input;
    const { device } = visit;
    onSighting({ kind: 'stage', atMs: clock.nowMs(), device, machine, attempt: id, stage, ...(detail && { detail }) });
    await sendText(visit, 'noted\n');
  }

  async #overlay(visit: Visit, id: string): Promise<void> {
    const { overlay } = this.#attemptOf(visit, id);
    await sendFile(visit.request, visit.response, await open(overlay), overlay, this.#shared);
  }

  async #secrets(visit: Visit, token: string): Promise<void> {
    const { attempts, leasedTo, neighbour, secretsOf } = this.#input;
    const { device, peer, response } = visit;
    const [mac, lease] = await Promise.all([neighbour(device, peer), leasedTo(device, peer)]);
    const asker = { ipv4: peer, ...(mac !== undefined && { mac }), ...(lease !== undefined && { leasedTo: lease }) };
    // The secrets are made before the token is spent: afterwards nothing may fail.
    const owner = attempts.owner(token);
    const secrets = owner === undefined ? new Uint8Array() : await secretsOf(owner);
    await attempts.spend(token, asker);
    response.writeHead(200, {
      'content-type': 'application/x-tar',
      'content-length': secrets.length,
      'cache-control': 'no-store',
    });
    response.end(secrets);
  }

  /** A file below `isos`, where links of root may lead elsewhere. A link that is not followed is told once. */
  async #iso({ request, response }: Visit, path: string): Promise<void> {
    const file = await openBelow(this.#input.isos, path, 'root', ({ code, message, object = '', remedy }) => {
      if (this.#refusedLinks.has(object) || this.#refusedLinks.size >= REFUSED_LINKS_MAX) return;
      this.#refusedLinks.add(object);
      const event = { level: 'warning', kind: 'link refused', message, object, code } as const;
      this.#input.journal.record({ ...event, ...(remedy !== undefined && { remedy }) });
    });
    await sendFile(request, response, file, path, this.#shared);
  }

  /** A file of the mirror. A generation that is gone leads to the current one, so that nodes which run long go on there. */
  async #mirror({ request, response, host0, peer }: Visit, number: string, path: string): Promise<void> {
    const { mirror } = this.#input;
    if (number !== 'current' && !(await isThere(join(mirror, number)))) {
      const location = `http://${host0}/alpine/current/${path}`;
      response.writeHead(302, { location, 'content-length': 0 }).end();
      return;
    }
    await sendFile(request, response, await openBelow(mirror, `${number}/files/${path}`), path, this.#shared);
    if (path.startsWith('boot/initramfs-')) this.#loaded(peer);
  }

  async #file({ request, response }: Visit, directory: string, path: string): Promise<void> {
    await sendFile(request, response, await openBelow(directory, path), path, this.#shared);
  }

  /** @throws MESH_BOOT_PATH_UNKNOWN if the attempt is unknown, or runs at another address */
  #attemptOf({ peer, request }: Visit, id: string): Attempt {
    const attempt = this.#input.attempts.get(id);
    if (attempt?.ipv4 === peer) return attempt;
    throw unknownPath(request.url ?? '');
  }

  #fail(response: ServerResponse, error: MeshError, peer: Ipv4): void {
    // A client that went away has no use for an answer, and half a file must not look whole.
    if (response.headersSent) return void response.destroy();
    const text = `${error.code}: ${error.message}\n`;
    const headers = { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text) };
    // A node fetches with busybox's wget, which shows only the first line of an error.
    response.writeHead(error.httpStatus, error.message.slice(0, REASON_MAX).replace(/[^\x20-\x7e]/g, '?'), headers);
    response.end(text);
    if (error.code === 'MESH_BOOT_PATH_UNKNOWN') return;
    const { code, message, remedy, object = peer } = error;
    this.#input.journal.record({
      level: 'warning',
      kind: 'boot request refused',
      message,
      object,
      code,
      ...(remedy !== undefined && { remedy }),
    });
  }
}

async function isThere(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}

/** Whether the connection ended because the peer acknowledged nothing, or was not on the segment any more. */
function fellSilent({ socket }: IncomingMessage): boolean {
  const { code } = (socket.errored ?? {}) as NodeJS.ErrnoException;
  return code === 'ETIMEDOUT' || code === 'EHOSTUNREACH';
}

async function sendText({ response }: Visit, text: string): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  response.end(text);
}
