/** Reads the YAML of a topology, and shows a fault at its place. */
import { MeshError } from '../../model/error.ts';
import { type Refuse, readLabYaml } from './lab-yaml.ts';
import { roleOfNumber, vmNumberOf } from './vm-address.ts';
import { planMachines } from './vm-plan.ts';
import { type VmTopology, VmTopologyShape } from './vm-topology.ts';

const RULE = 'A topology is YAML: description, prefix, memoryMib, roles, machines, nets, overlays, links and images.';
const COMPARE = 'Compare it with one that works: `mesh lab topology show default`';

/**
 * Reads a topology.
 * @param file its name, for errors
 * @throws MESH_LAB_TOPOLOGY, MESH_CONF_* with the place in the file
 */
export function readTopology(file: string, text: string): VmTopology {
  return readLabYaml(VmTopologyShape, file, text, { rule: RULE, remedy: COMPARE }, judge);
}

/** What the form cannot say: parts that must fit each other. */
function judge(topology: VmTopology, refuse: Refuse): void {
  const machines = orRefused(() => planMachines(topology), refuse);
  if (machines.length === 0) {
    refuse(['roles'], 'the topology has no machine', {
      rule: 'A topology has at least one machine in one of its roles.',
      remedy: 'Write node: { count: 2, nets: [0, 1] }',
    });
  }
  for (const name of Object.keys(topology.machines)) {
    if (machines.some((machine) => machine.name === name)) continue;
    const role = roleOfNumber(vmNumberOf({ hostName: name }) ?? 0) ?? 'node';
    refuse(['machines', name], `the topology has no machine ${name}`, {
      rule: 'The machines of a topology follow from the counts of its roles.',
      remedy: `Raise the count of the role ${role}, or leave ${name} out`,
    });
  }
  for (const [index, { net, hostAddress }] of topology.nets.entries()) {
    if (topology.nets.findIndex((other) => other.net === net) !== index) {
      refuse(['nets', index], `net ${net} stands twice`, {
        rule: 'Each net stands once.',
        remedy: 'Remove one of the two',
      });
    }
    if (net === 0 && hostAddress === false) {
      refuse(['nets', index, 'hostAddress'], 'this machine must have an address in net 0', {
        rule: 'Terminals and commands reach all machines over net 0.',
        remedy: 'Leave hostAddress out',
      });
    }
  }
  for (const [index, link] of topology.links.entries()) {
    const { net, machine: name, ...effects } = link;
    const ends = machines.filter(
      (machine) => machine.nets.includes(net) && (name === undefined || machine.name === name),
    );
    if (ends.length === 0) {
      refuse(['links', index], `no machine${name === undefined ? '' : ` ${name}`} is in net ${net}`, {
        rule: 'A link joins a machine of the topology to a net that the machine is in.',
        remedy: 'Name a net that is in the nets of the machine',
      });
    }
    if (Object.keys(effects).length === 0) {
      refuse(['links', index], 'the link says nothing', {
        rule: 'A link has one of mtuBytes, lossPercent, delayMs and rateMbit.',
        remedy: 'Write lossPercent: 1',
      });
    }
  }
}

function orRefused<T>(make: () => T, refuse: Refuse): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof MeshError)) throw error;
    const { message, rule = RULE, remedy, object = '' } = error;
    return refuse(['roles', object, 'count'], message, { rule, ...(remedy !== undefined && { remedy }) });
  }
}
