/**
 * Who has the UDP port of VXLAN, so that a VXLAN of ours cannot be set up. Devices share the port only when they are of
 * one sort: Open vSwitch's `vxlan_sys_4789` (`external`) takes it for itself.
 */
import type { KernelOperation } from '../../kernel/rtnl/operation.ts';
import type { Rtnl } from '../../kernel/rtnl/rtnl.ts';
import { udpHolders } from '../../kernel/udp-holders.ts';
import { MeshError } from '../../model/error.ts';
import { VXLAN_PORT } from '../../model/network/types/vxlan.ts';
import { parseAlias } from '../items/mark.ts';

/**
 * Replaces the refusals that mean that the port is taken by an error that names who has it.
 * @param errors the outcome of `operations`
 * @param netns path of the namespace; the process's own when absent
 */
export async function namingPortHolders(
  rtnl: Rtnl,
  netns: string | undefined,
  operations: readonly KernelOperation[],
  errors: readonly (MeshError | undefined)[],
): Promise<readonly (MeshError | undefined)[]> {
  if (!errors.some(isTaken)) return errors;
  const devices = (await rtnl.links())
    .filter(({ vxlan, up, alias }) => vxlan?.udpPort === VXLAN_PORT && up && parseAlias(alias) === undefined)
    .map(({ name }) => name);
  const processes = udpHolders(VXLAN_PORT, netns);
  return errors.map((error, number) => {
    const operation = operations[number];
    if (error === undefined || !isTaken(error) || operation?.do !== 'link-set') return error;
    return takenError(operation.link, devices, processes, error);
  });
}

function isTaken(error: MeshError | undefined): boolean {
  const { cause } = error ?? {};
  return typeof cause === 'object' && cause !== null && 'name' in cause && cause.name === 'EADDRINUSE';
}

function takenError(
  object: string,
  devices: readonly string[],
  processes: ReturnType<typeof udpHolders>,
  cause: MeshError,
): MeshError {
  const rule = 'On one machine, one sort of VXLAN devices has the port, or one process.';
  const error = (holder: string, remedy: string) =>
    new MeshError('MESH_VXLAN_PORT_TAKEN', `${object} cannot be set up: ${holder} has UDP port ${VXLAN_PORT}`, {
      object,
      rule,
      remedy,
      retryable: true,
      cause: cause.cause,
    });
  const [process] = processes;
  if (process !== undefined) {
    const holder = processes.map(({ program, pid }) => `${program} (process ${pid})`).join(', ');
    return error(
      holder,
      `Stop ${process.program}, or let it listen on another port; the mesh then comes up by itself.`,
    );
  }
  const [device] = devices;
  if (device !== undefined) {
    const remedy = `Give ${device} another port where it was made (in Open vSwitch: options:dst_port), or remove it; the mesh then comes up by itself.`;
    return error(`the device ${devices.join(', ')}`, remedy);
  }
  return error('another part of the kernel', 'Look for tunnels of other programs: `ip -d link` and `ss -lunp`.');
}
