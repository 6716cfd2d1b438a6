/**
 * The keys of a lab's hosts in namespaces, which do not boot from host0. The lab makes host0's installation secret before host0
 * starts, and writes the key file of each node, as `mesh node enroll` and an administrator would.
 */
import { writeFileSync } from 'node:fs';
import { InstallationSecret } from '../../image/installation-secret.ts';
import { keyIdentity, machineKey } from '../../model/machine-key.ts';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { keyFileText } from '../../protocol/shapes/key-file.ts';
import type { LabHost } from '../hosts/lab-host.ts';

/** The agent refuses a key file that others may read. */
const KEY_FILE_MODE = 0o600;

/** Gives each node its first key. The directories of the files must be there. */
export async function enrollHosts(host0: LabHost, nodes: readonly LabHost[]): Promise<void> {
  const { bytes: secret } = await InstallationSecret.open(pathsBelow(host0.root).state);
  if (secret === undefined) return;
  for (const { machine, root } of nodes) {
    const generation = { machine, generation: 1 };
    const { keyFile } = pathsBelow(root);
    const text = keyFileText({ identity: keyIdentity(generation), key: machineKey(secret, generation) });
    writeFileSync(keyFile, text, { mode: KEY_FILE_MODE });
  }
}
