/** The hop of a network's bridge or VXLAN device: whether it is as the agent wants it. */
import type { TraceHop } from '../../protocol/documents/trace.ts';
import { linkKey } from '../items/link.ts';
import { differs, fine, itemDifferences, remedyOf } from './hop.ts';
import type { PathState } from './path-state.ts';

export function linkHop(pathState: PathState, device: 'bridge' | 'vxlan'): TraceHop {
  const { node, network, kernel, desired } = pathState;
  const name = device === 'bridge' ? network.bridge.name : network.type.device;
  const link = kernel.linkNamed(name);
  const key = linkKey(device, network.id);
  const wanted = `${name} is up and as \`mesh explain ${name}\` shows`;
  if (link === undefined) return differs(node, device, `there is no ${name}`, wanted, remedyOf(pathState, key));
  if (!desired.has(key)) {
    return differs(node, device, `the agent does not own ${name}`, wanted, `See \`mesh status\` on ${node}.`);
  }
  const differences = itemDifferences(pathState, key);
  if (differences.length > 0)
    return differs(node, device, `${name}: ${differences.join(', ')}`, wanted, remedyOf(pathState, key));
  const detail =
    link.vxlan === undefined
      ? `${link.mac}, MTU ${link.mtuBytes}`
      : `VNI ${link.vxlan.vni}, UDP ${link.vxlan.udpPort}, MTU ${link.mtuBytes}, a port of ${network.bridge.name}`;
  return fine(node, device, `${name} is up, ${detail}`);
}
