/**
 * The tokens that earlier versions of host0 gave to machines, below `keys/machines`: 64 hex digits each, readable by root only. A
 * machine that has booted since has a machine key, and a token that is derived from it (controller/machines/key-tokens.ts). Then
 * its tokens here are removed. `<machine>.next` is a token that the machine had not proven yet, `<machine>` the one in use. An
 * empty file `<machine>` says that the machine has no earlier token.
 *
 * `keys/tokens` is from a time when a machine's token was the HMAC of its id, and nodes sent it. It holds for machines that have
 * not proven a newer token.
 */
import { createHmac } from 'node:crypto';
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { textAt, writeDurable } from '../../disk/durable-file.ts';
import { errnoOf } from '../../formats/conf/conf-reader.ts';
import { MeshError } from '../../model/error.ts';
import type { MachineId } from '../../model/machine.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';

const TOKEN = /^[0-9a-f]{64}$/;
/** Has a finding of its own (token-secret.ts). */
const OLD_SECRET = 'tokens';
/** Enough to see that the disk is damaged. */
const DAMAGED_MAX = 16;

/** Whether a text is a token, or the secret of earlier tokens. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Reads and removes the earlier tokens in one state directory. */
export class MachineTokens implements HealthSource {
  readonly #state: string;
  /** Files that held no token when they were read last. */
  readonly #damaged = new Set<string>();

  constructor(stateDirectory: string) {
    this.#state = stateDirectory;
  }

  /** The tokens that the machine may have. */
  async of(machine: MachineId): Promise<readonly string[]> {
    const [present, next] = await Promise.all([this.#present(machine), this.#read(`machines/${machine}.next`)]);
    return [present ?? '', next ?? ''].filter((token) => token !== '');
  }

  /** The token that an older agent of the machine sends; undefined once the machine has proven another. */
  async sentBy(machine: MachineId): Promise<string | undefined> {
    return (await this.#read(`machines/${machine}`)) === undefined ? await this.#derived(machine) : undefined;
  }

  /** Notes that the machine has proven this token. */
  async used(machine: MachineId, token: string): Promise<void> {
    const next = `machines/${machine}.next`;
    if ((await this.#read(next)) !== token) return;
    await rename(this.#path(next), this.#path(`machines/${machine}`)).catch((error: unknown) => {
      // Two reports proved it at once, and the other one has renamed the file.
      if (errnoOf(error) !== 'ENOENT') throw error;
    });
  }

  /** Takes the machine's earlier tokens away. Never rejects. */
  async forget(machine: MachineId): Promise<void> {
    const files = [`machines/${machine}`, `machines/${machine}.next`];
    const known = await Promise.all(files.map((file) => this.#read(file).catch(() => '')));
    if (known.every((text) => text === undefined)) return;
    for (const file of files) await rm(this.#path(file), { force: true }).catch(() => undefined);
    if ((await this.#derived(machine).catch(() => undefined)) === undefined) return;
    await writeDurable(this.#path(`machines/${machine}`), '').catch(() => undefined);
  }

  /** A finding for each file that holds no token any more. */
  health(): readonly Finding[] {
    return [...this.#damaged].map((name) => damagedToken(this.#path(name)));
  }

  async #present(machine: MachineId): Promise<string | undefined> {
    return (await this.#read(`machines/${machine}`)) ?? (await this.#derived(machine));
  }

  async #derived(machine: MachineId): Promise<string | undefined> {
    const secret = await this.#read(OLD_SECRET);
    return secret ? createHmac('sha256', secret).update(machine).digest('hex') : undefined;
  }

  /** The text of a file, undefined if there is none. A damaged file is no token: it counts as empty, and is a finding. */
  async #read(name: string): Promise<string | undefined> {
    const text = await textAt(this.#path(name)).catch(() => '?');
    const token = text?.trim();
    const isWhole = token === undefined || token === '' || TOKEN.test(token);
    if (isWhole || name === OLD_SECRET) this.#damaged.delete(name);
    else if (this.#damaged.size < DAMAGED_MAX) this.#damaged.add(name);
    return isWhole ? token : '';
  }

  #path(name: string): string {
    return join(this.#state, 'keys', name);
  }
}

function damagedToken(path: string): Finding {
  const error = new MeshError('MESH_KEY_DAMAGED', `${path} holds no token: the machine cannot prove who it is`, {
    remedy: 'Boot the machine again: it gets another token.',
  });
  return findingOf(error, { object: path, severity: 'warning' });
}
