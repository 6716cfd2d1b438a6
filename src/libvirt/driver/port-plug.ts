/** What a network makes of the port that a client asks for: its plug, and its limits. */
import type { PortDocument } from '../../formats/xml/port-xml.ts';
import type { Network } from '../../model/network/network.ts';
import type { Parameter } from '../calls/values.ts';
import { VIR_CODE as CODE, VirError } from '../rpc/vir-error.ts';
import { badArgument } from './refusals.ts';
import type { PortOptions } from './virtual-networks.ts';

/** libvirt counts rates in thousands of bytes a second, and bursts in units of 1024 bytes. */
const RATE_BYTES = 1000;
const BURST_BYTES = 1024;
/** virTypedParameterType of an unsigned number. */
const UINT = 2;

/** The port with its plug. @throws VirError 1, 67 */
export function pluggedPort(
  port: PortDocument,
  network: Network,
  { reclaim, portsOn }: Pick<PortOptions, 'reclaim'> & { readonly portsOn: (card: string) => number },
): PortDocument {
  if (reclaim) {
    if (port.plug === undefined) {
      throw VirError.of(CODE.internal, `unexpectedly got a network port without a plug`);
    }
    return port;
  }
  const { bridge, type } = network;
  if (type.kind === 'macvtap') {
    // The card with the fewest ports, and the first of these.
    const [dev] = type.cards.toSorted((a, b) => portsOn(a) - portsOn(b));
    if (dev !== undefined && type.mode === 'passthrough' && portsOn(dev) > 0) {
      const detail = `network '${network.name}' requires exclusive access to interfaces, but none are available`;
      throw VirError.of(CODE.internal, detail);
    }
    if (dev !== undefined) return { ...port, plug: { type: 'direct', dev, mode: type.mode } };
  }
  if (bridge === undefined) {
    const detail = `network '${network.name}' has no bridge that a port could be plugged into`;
    throw VirError.of(CODE.unsupportedConfig, detail);
  }
  const isForeign = type.kind === 'foreign-bridge';
  return { ...port, plug: { type: isForeign ? 'bridge' : 'network', bridge: bridge.name } };
}

type Direction = 'inbound' | 'outbound';
const PARTS = ['average', 'peak', 'burst', 'floor'] as const;
type Numbers = Partial<Record<(typeof PARTS)[number], number>>;

/** The limits of a port as typed parameters. */
export function bandwidthParameters(port: PortDocument): readonly Parameter[] {
  return (['inbound', 'outbound'] as const).flatMap((direction) => {
    const numbers = numbersOf(port, direction);
    return PARTS.flatMap((part): Parameter[] => {
      const value = numbers?.[part];
      if (value === undefined) return [];
      return [{ field: `${direction}.${part}`, value: { type: UINT, value } }];
    });
  });
}

/** The port with other limits; those that are not named go, as in libvirt. @throws VirError 8 */
export function withBandwidth(port: PortDocument, parameters: readonly Parameter[]): PortDocument {
  const { bandwidth: _, floorKbps: __, ...plain } = port;
  const found: Record<Direction, Numbers> = { inbound: {}, outbound: {} };
  for (const { field, value } of parameters) {
    const [, direction, name] = /^(inbound|outbound)\.(\w+)$/.exec(field) ?? [];
    const part = PARTS.find((known) => known === name);
    if (part === undefined || (direction === 'outbound' && part === 'floor') || value.type !== UINT) {
      throw badArgument(`invalid argument: parameter '${field}' not supported`);
    }
    found[direction === 'outbound' ? 'outbound' : 'inbound'][part] = value.value;
  }
  const [inside, outside] = [limitOf(found.inbound), limitOf(found.outbound)];
  return {
    ...plain,
    ...((inside ?? outside) !== undefined && {
      bandwidth: { ...(inside && { in: inside }), ...(outside && { out: outside }) },
    }),
    ...(found.inbound.floor !== undefined && found.inbound.floor > 0 && { floorKbps: found.inbound.floor }),
  };
}

type Limit = NonNullable<NonNullable<PortDocument['bandwidth']>['in']>;

function limitOf({ average = 0, peak = 0, burst = 0 }: Numbers): Limit | undefined {
  if (average === 0) return undefined;
  return {
    averageBytesPerSec: average * RATE_BYTES,
    ...(peak > 0 && { peakBytesPerSec: peak * RATE_BYTES }),
    ...(burst > 0 && { burstBytes: burst * BURST_BYTES }),
  };
}

function numbersOf({ bandwidth, floorKbps }: PortDocument, direction: Direction): Numbers | undefined {
  const limit = direction === 'inbound' ? bandwidth?.in : bandwidth?.out;
  const floor = direction === 'inbound' ? floorKbps : undefined;
  if (limit === undefined && floor === undefined) return undefined;
  return {
    average: Math.floor((limit?.averageBytesPerSec ?? 0) / RATE_BYTES),
    peak: Math.floor((limit?.peakBytesPerSec ?? 0) / RATE_BYTES),
    burst: Math.floor((limit?.burstBytes ?? 0) / BURST_BYTES),
    ...(direction === 'inbound' && { floor: floor ?? 0 }),
  };
}
