/** What a guest with cloud-init is told of itself: a disk with the label cidata (the data source NoCloud of cloud-init). Pure. */
import { type FatFile, fatDisk } from '../../formats/binary/fat-disk.ts';
import type { AssignedWorkload } from '../../protocol/documents/workload/assigned-workload.ts';
import type { QemuCard } from '../../services/qemu/qemu-spec.ts';

const LABEL = 'cidata';

/** The files of a seed. JSON is YAML, and needs no quoting of its own. */
export function seedFiles({ id, workload }: AssignedWorkload, cards: readonly QemuCard[]): readonly FatFile[] {
  const { cloud, name, networks } = workload;
  if (cloud === undefined) return [];
  const { hostName = name, keys, userData = '#cloud-config\n{}\n' } = cloud;
  const meta = { 'instance-id': id, 'local-hostname': hostName, ...(keys.length > 0 && { 'public-keys': keys }) };
  const ethernets = networks.flatMap(({ id: card, addresses }) => {
    const mac = cards.find((candidate) => candidate.id === card)?.mac;
    if (mac === undefined) return [];
    const given = addresses.map(({ address, length }) => `${address}/${length}`);
    return [[card, { match: { macaddress: mac }, ...(given.length > 0 && { addresses: given }) }] as const];
  });
  const network = { version: 2, ethernets: Object.fromEntries(ethernets) };
  const file = (fileName: string, text: string): FatFile => ({ name: fileName, content: Buffer.from(text) });
  return [
    file('meta-data', `${JSON.stringify(meta)}\n`),
    file('user-data', userData),
    ...(ethernets.length > 0 ? [file('network-config', `${JSON.stringify(network)}\n`)] : []),
  ];
}

/** The disk; undefined for a workload that has no seed. */
export function seedDisk(assigned: AssignedWorkload, cards: readonly QemuCard[]): Uint8Array | undefined {
  const files = seedFiles(assigned, cards);
  return files.length === 0 ? undefined : fatDisk(LABEL, files);
}
