/** The NoCloud seed of a virtual machine as a file that its emulator can open. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nocloudSeed, type SeedCard } from '../../formats/cloud/nocloud-seed.ts';
import type { Workload } from '../../model/workload/workload.ts';
import { diskRefused } from './part-file.ts';

/** It may hold passwords: only root reads it, and the emulator opens it as root. */
const SEED_MODE = 0o600;
/** Disks of a guest have words of an administrator as ids; none of them has a dot. */
export const SEED_ID = 'cloud.seed';

/** Where the seed of a workload is. */
export function seedPath(directory: string, id: string): string {
  return join(directory, `${id}.seed.iso`);
}

/**
 * Makes the seed of a workload anew.
 * @param directory of seeds
 * @param cards in the order of the workload's networks
 * @returns its path; undefined for a workload without one
 * @throws MESH_DISK_REFUSED
 */
export async function seedDisk(
  directory: string,
  id: string,
  { name, uuid, cloud, networks }: Workload,
  cards: readonly Pick<SeedCard, 'mac' | 'mtuBytes'>[],
): Promise<string | undefined> {
  const path = seedPath(directory, id);
  if (cloud === undefined) return undefined;
  const { hostName = name, keys, userData } = cloud;
  const seed = nocloudSeed({
    ...{ instanceId: uuid, hostName, keys, userData },
    cards: cards.map((card, index) => ({
      ...card,
      addresses: (networks[index]?.addresses ?? []).map(({ address, length }) => `${address}/${length}`),
    })),
  });
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(`${path}.new`, seed, { mode: SEED_MODE });
    await rename(`${path}.new`, path);
    return path;
  } catch (cause) {
    await rm(`${path}.new`, { force: true });
    throw diskRefused(path, cause);
  }
}
