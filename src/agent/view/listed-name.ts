/** The name under which host0 lists this node, when another machine has the name already: `node1-2` for a second `node1`. */

import type { MachineWord } from '../../model/machine.ts';
import { type Member, memberAddresses } from '../../model/network/member.ts';
import type { Mesh } from '../../model/network/mesh.ts';
import type { Finding } from '../../protocol/documents/finding.ts';

/** This node, and a network with its listed members. */
interface Listing {
  readonly name: string;
  readonly machine: MachineWord;
  readonly network: Mesh;
  readonly members: readonly Member[];
}

/** The name with a number that host0 gave this node; its own name if host0 gave none, or has not listed the node yet. */
export function listedName({ name, machine, network, members }: Listing): string {
  const { ipv6 } = memberAddresses(network, machine);
  const listed = members.find((member) => member.ipv6 === ipv6)?.name;
  const stem = /^(.+)-[1-9][0-9]*$/.exec(listed ?? '')?.[1];
  // A long name is cut, so that the number fits.
  return listed !== undefined && stem !== undefined && name.startsWith(stem) ? listed : name;
}

/** A warning if another member has this node's name. An older host0 gives no numbers, and lists both under one name. */
export function nameTaken(listing: Listing): Finding[] {
  const { name, machine, network, members } = listing;
  const listed = listedName(listing);
  const { ipv6 } = memberAddresses(network, machine);
  const other = members.find((member) => member.ipv6 !== ipv6 && member.name === name);
  if (listed === name && other === undefined) return [];
  const who = other === undefined ? 'another machine has' : `the machine at ${other.ipv4} has`;
  return [
    {
      code: 'MESH_NODE_NAME',
      severity: 'warning',
      object: `${network.name}: ${listed}`,
      message: `${who} the name ${name}, too; ${network.name} lists this node as ${listed}`,
      remedy: 'Give one of the two another host name, or its agent --name NAME, and restart that agent.',
    },
  ];
}
