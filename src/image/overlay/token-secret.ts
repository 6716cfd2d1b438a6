/**
 * `keys/tokens`: the secret from which host0 derived the tokens of machines before each boot got one of its own. It is never
 * written any more. A changed digit would make every token of that time wrong, and the nodes would be accused: `keys/tokens.json`
 * has the checksum of the secret as it was when this version saw it first.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { asideOf, isAside, moveAside } from '../../disk/aside.ts';
import { DamagedText, StateFile, type StateForm, textOnDisk } from '../../disk/state-file.ts';
import { MeshError } from '../../model/error.ts';
import { type Finding, findingOf, type HealthSource } from '../../protocol/documents/finding.ts';
import * as form from '../../protocol/shapes/form.ts';
import { isToken } from './machine-tokens.ts';

interface SecretSum {
  /** Of the text of `keys/tokens`, in hex. */
  readonly sha256: string;
}

const SUM_FILE: StateForm<SecretSum> = {
  version: 1,
  shape: form.object({ sha256: form.string({ pattern: /^[0-9a-f]{64}$/ }) }),
  holds: 'the checksum of keys/tokens',
  remedy: 'Nothing is to be done: host0 writes it anew.',
  comesBack: true,
};
const SECRET_MODE = 0o600;

/** The secret of one state directory. */
export class TokenSecret implements HealthSource {
  readonly #path: string;
  readonly #sum: StateFile<SecretSum>;

  private constructor(stateDirectory: string) {
    this.#path = join(stateDirectory, 'keys/tokens');
    this.#sum = new StateFile(textOnDisk(`${this.#path}.json`, SECRET_MODE), SUM_FILE);
  }

  /** Checks the secret, if there is one. A damaged one is moved aside. Never rejects. */
  static async check(stateDirectory: string): Promise<TokenSecret> {
    const secret = new TokenSecret(stateDirectory);
    await secret.#check();
    return secret;
  }

  /** A finding while a damaged secret lies aside. */
  health(): readonly Finding[] {
    return [...(isAside(this.#path) ? [lost(this.#path)] : []), ...this.#sum.health()];
  }

  async #check(): Promise<void> {
    const text = await textOrDamage(this.#path);
    if (text === undefined) return;
    const sha256 = createHash('sha256').update(text).digest('hex');
    const known = await this.#sum.read();
    if (!isToken(text) || (known !== undefined && known.sha256 !== sha256)) await moveAside(this.#path);
    else if (known === undefined) await this.#sum.write({ sha256 }).catch(() => undefined);
  }
}

/** The text without white space around it; empty for what is no file, or cannot be read. */
async function textOrDamage(path: string): Promise<string | undefined> {
  try {
    return (await textOnDisk(path).read())?.trim();
  } catch (thrown) {
    // Without the right to read it, it is no secret for this process, and stays as it is.
    return thrown instanceof DamagedText ? '' : undefined;
  }
}

function lost(path: string): Finding {
  const message = `${path} was damaged: nodes that got their token from an earlier version of host0 cannot prove who they are`;
  const remedy = `Restore ${path} from a backup and restart host0, or boot these nodes again. Then remove ${asideOf(path)}, which is the damaged file.`;
  return findingOf(new MeshError('MESH_KEY_DAMAGED', message, { remedy }), { object: path, severity: 'warning' });
}
