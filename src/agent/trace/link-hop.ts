/** One of a network's two links, as the agent wants it and as it is. */
import type { TraceHop } from '../../protocol/documents/trace.ts';
import { linkKey } from '../items/link.ts';
import type { DeviceKind } from '../items/mark.ts';
import type { PathFacts } from './facts.ts';
import { differencesOf, differs, fine } from './hop.ts';

export function linkHop(facts: PathFacts, device: DeviceKind): TraceHop {
  const { node, network, kernel, desired } = facts;
  const name = network.devices[device];
  const link = kernel.linkNamed(name);
  const key = linkKey(device, network.id);
  const wanted = `${name} is up and as \`mesh explain ${name}\` shows`;
  if (link === undefined) return differs(node, device, `there is no ${name}`, wanted);
  if (!desired.has(key)) {
    return differs(node, device, `${name} is not the agent's`, wanted, `See \`mesh status\` on ${node}.`);
  }
  const differences = differencesOf(facts, key);
  if (differences.length > 0) return differs(node, device, `${name}: ${differences.join(', ')}`, wanted);
  const detail =
    link.vxlan === undefined
      ? `${link.mac}, MTU ${link.mtuBytes}`
      : `VNI ${link.vxlan.vni}, UDP ${link.vxlan.udpPort}, MTU ${link.mtuBytes}, a port of ${network.devices.bridge}`;
  return fine(node, device, `${name} is up, ${detail}`);
}
