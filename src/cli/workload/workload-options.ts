/** Values of options of `mesh workload run`, by the rules of the workload file. */
import { InvalidArgumentError } from 'commander';
import { parseCardAddresses, parseMemory } from '../../formats/workload/workload-values.ts';
import { MeshError } from '../../model/error.ts';
import type { HostInterface } from '../../model/network/host-address.ts';

const NOWHERE = { file: '', line: 1, column: 1, text: '' };

/** A size with K, M, G or T. @throws InvalidArgumentError */
export function bytesOption(value: string): number {
  const bytes = parseMemory({ key: 'size', value, keyPlace: NOWHERE, valuePlace: NOWHERE });
  if (bytes instanceof MeshError) throw new InvalidArgumentError(bytes.rule ?? bytes.message);
  return bytes;
}

/** One address with its length. @throws MESH_USAGE */
export function cardAddresses(value: string): HostInterface {
  const read = parseCardAddresses({ key: 'address', value, keyPlace: NOWHERE, valuePlace: NOWHERE });
  const [address] = read instanceof MeshError ? [] : read;
  if (address !== undefined) return address;
  throw new MeshError('MESH_USAGE', `${JSON.stringify(value)} is no address with the length of its subnet`, {
    remedy: 'Write --address 10.0.0.5/24',
  });
}
