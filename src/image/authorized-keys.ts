/** The public keys that may command nodes: host0's own, which \`mesh node ctl\` uses. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../formats/conf-reader.ts';

/** host0's key pair, in OpenSSH's form; the public half ends in `.pub`. */
export function commandKeyIn(stateDirectory: string): string {
  return join(stateDirectory, 'keys/command');
}

/** Lines for an `authorized_keys`; none before host0 has made its key. */
export async function authorizedKeysIn(stateDirectory: string): Promise<readonly string[]> {
  try {
    const text = await readFile(`${commandKeyIn(stateDirectory)}.pub`, 'utf8');
    return text.split('\n').filter((line) => line !== '');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
