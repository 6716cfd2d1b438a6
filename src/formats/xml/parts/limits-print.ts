/** Prints `<bandwidth>`, `<vlan>`, `<virtualport>` and `<portgroup>`. */
import type { Bandwidth, NetworkGuests, PortGroup } from '../../../model/network/guests.ts';
import { type XmlAttributes, type XmlLines, xmlContainer, xmlElement } from '../text/xml-text.ts';
import type { Kept, KeptVirtualPort } from './kept.ts';
import { BURST_BYTES, isPrintedAsTrunk, type Limits, RATE_BYTES } from './limits-xml.ts';

/** Limits in both directions. @param floor of inbound, in thousands of bytes a second */
export function bandwidthElement(
  limits: Limits | undefined,
  attributes: XmlAttributes = {},
  floor?: number,
): XmlLines[] {
  if (limits === undefined || (limits.in === undefined && limits.out === undefined && floor === undefined)) return [];
  return [
    xmlElement('bandwidth', attributes, [
      ...(limits.in === undefined && floor === undefined ? [] : [xmlElement('inbound', rateOf(limits.in, floor))]),
      ...(limits.out === undefined ? [] : [xmlElement('outbound', rateOf(limits.out))]),
    ]),
  ];
}

function rateOf(rate: Bandwidth | undefined, floor?: number): XmlAttributes {
  const units = (bytes: number | undefined, unit: number) =>
    bytes === undefined ? undefined : Math.max(1, Math.round(bytes / unit));
  return {
    average: units(rate?.averageBytesPerSec, RATE_BYTES),
    peak: units(rate?.peakBytesPerSec, RATE_BYTES),
    floor,
    burst: units(rate?.burstBytes, BURST_BYTES),
  };
}

/** The tags of frames. */
export function vlanElement(guests: Pick<NetworkGuests, 'vlan' | 'trunk'> | undefined): XmlLines[] {
  const { vlan, trunk } = guests ?? {};
  if (trunk !== undefined && trunk.tags.length > 0) {
    const tags = trunk.tags.map((id) =>
      xmlElement('tag', { id, nativeMode: trunk.native?.tag === id ? trunk.native.mode : undefined }),
    );
    return [xmlElement('vlan', { trunk: isPrintedAsTrunk(trunk) ? 'yes' : undefined }, tags)];
  }
  return vlan === undefined ? [] : [xmlElement('vlan', {}, [xmlElement('tag', { id: vlan })])];
}

/** A virtual port. */
export function virtualPortElement({ type, parameters }: KeptVirtualPort): XmlLines {
  const isThere = Object.keys(parameters).length > 0;
  return xmlElement('virtualport', { type: type || undefined }, isThere ? [xmlElement('parameters', parameters)] : []);
}

/** What plain XML can say of a port group. */
interface GroupForm {
  readonly isLimitable: boolean;
  readonly isTaggable: boolean;
}

/** A port group. */
export function portGroupElement(
  group: PortGroup,
  { portGroups = {} }: Kept,
  { isLimitable, isTaggable }: GroupForm,
): XmlLines {
  const { name, isDefault, bandwidth } = group;
  const kept = Object.hasOwn(portGroups, name) ? portGroups[name] : undefined;
  const trust = kept?.trustGuestRxFilters;
  const attributes = {
    name,
    default: isDefault ? 'yes' : undefined,
    trustGuestRxFilters: trust === undefined ? undefined : trust ? 'yes' : 'no',
  };
  return xmlContainer('portgroup', attributes, [
    ...(isTaggable ? vlanElement(group) : []),
    ...(kept?.virtualPort === undefined ? [] : [virtualPortElement(kept.virtualPort)]),
    ...(isLimitable ? bandwidthElement(bandwidth) : []),
  ]);
}
