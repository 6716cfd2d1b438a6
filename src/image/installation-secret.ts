/**
 * The installation secret, `keys/installation`: 32 random bytes from which host0 derives the key of every machine
 * (model/machine-key.ts). host0 makes the secret at its first start. With another secret no node has a valid key before its next
 * boot, so that the secret belongs in each backup.
 */
import { randomBytes } from 'node:crypto';
import { dirname, join } from 'node:path';
import { makeDirectory } from '../disk/durable-file.ts';
import { StateFile, type StateForm, textOnDisk } from '../disk/state-file.ts';
import { MeshError } from '../model/error.ts';
import { KEY_BYTES } from '../model/machine-key.ts';
import { type Finding, findingOf, type HealthSource } from '../protocol/documents/finding.ts';
import { SECRET_FORM, type SecretDocument } from '../protocol/shapes/key-file.ts';

const SECRET_FILE: StateForm<SecretDocument> = {
  ...SECRET_FORM,
  holds: 'the keys of all machines',
  remedy:
    'Restore the file from a backup of host0 and restart host0; or boot the nodes again, and enroll those again that host0 did not boot.',
  comesBack: false,
};
const SECRET_MODE = 0o600;
/** Only root may list what host0 has keys of. */
const CLOSED = 0o700;

/** The installation secret of one state directory. */
export class InstallationSecret implements HealthSource {
  /** Undefined while the file cannot be used: then host0 gives out no keys, and takes none. */
  readonly bytes: Buffer | undefined;
  readonly #file: StateFile<SecretDocument>;
  readonly #refused: MeshError | undefined;

  private constructor(file: StateFile<SecretDocument>, secret: string | undefined, refused?: MeshError) {
    this.#file = file;
    this.bytes = secret === undefined ? undefined : Buffer.from(secret, 'hex');
    this.#refused = refused;
  }

  /**
   * Reads the secret, and makes one if there is none. A damaged one is moved aside, and another is made. A secret that could not
   * be made durable is not used, since a restart of host0 would make all keys worthless. Never rejects.
   */
  static async open(stateDirectory: string): Promise<InstallationSecret> {
    const file = new StateFile<SecretDocument>(
      textOnDisk(join(stateDirectory, 'keys/installation'), SECRET_MODE),
      SECRET_FILE,
    );
    const known = await file.read();
    if (known !== undefined) return new InstallationSecret(file, known.secret);
    const secret = randomBytes(KEY_BYTES).toString('hex');
    try {
      await makeDirectory(stateDirectory);
      await makeDirectory(dirname(file.path), CLOSED);
      await file.write({ secret });
      return new InstallationSecret(file, secret);
    } catch (thrown) {
      return new InstallationSecret(file, undefined, MeshError.from(thrown));
    }
  }

  /** A finding while there is no secret, or while a damaged one lies aside. */
  health(): readonly Finding[] {
    const known = this.#file.health();
    if (known.length > 0 || this.#refused === undefined) return known;
    const { path } = this.#file;
    const error = new MeshError(
      'MESH_KEY_DAMAGED',
      `${path} cannot be written, so that machines get no keys: ${this.#refused.message}`,
      { remedy: 'Make room on the disk, and restart host0.' },
    );
    return [findingOf(error, { object: path, severity: 'warning' })];
  }
}
