/** `<bandwidth>`, `<vlan>`, `<virtualport>`, `<portgroup>` and `<port>`: what guests may do at their ports. */
import type { Bandwidth, NetworkGuests, PortGroup, VlanTrunk } from '../../../model/network/guests.ts';
import {
  attribute,
  childOf,
  childrenOf,
  choice,
  placeIn,
  refusal,
  required,
  typedNumber,
  whole,
  word,
  yesNo,
} from '../text/element-reader.ts';
import { LIBVIRT_CODE, LIBVIRT_DOMAIN } from '../text/xml-error.ts';
import type { XmlElement } from '../text/xml-tree.ts';
import type { KeptPortGroup, KeptVirtualPort } from './kept.ts';

const { overflow, unsupported, xmlDetail } = LIBVIRT_CODE;
/** libvirt counts in thousands of bytes a second. */
export const RATE_BYTES = 1_000;
/** libvirt counts bursts in 1024 bytes. */
export const BURST_BYTES = 1_024;
const RATE_MAX = 2n ** 54n;
const BURST_MAX = (2n ** 32n - 1n) >> 10n;

/** Limits in both directions, as a guest sees them. */
export interface Limits {
  readonly in?: Bandwidth;
  readonly out?: Bandwidth;
}

/** What a network port guarantees beside its limits, in thousands of bytes a second. */
export interface Floor {
  readonly floorBytesPerSec?: number;
}

/** One `<bandwidth>`. @throws XmlNetworkError */
export function readBandwidth(element: XmlElement): Limits {
  const [inbound, outbound] = (['inbound', 'outbound'] as const).map((which) => {
    const [first, second] = childrenOf(element, which);
    if (second !== undefined) {
      const rule = 'Each direction has one limit.';
      throw refusal(`Only one child <${which}> element allowed`, { at: second, code: xmlDetail, rule });
    }
    if (first === undefined) return undefined;
    const floor = attribute(first, 'floor');
    if (floor !== undefined) {
      const message =
        which === 'outbound'
          ? "'floor' attribute allowed only in <inbound> element"
          : 'floor attribute is not supported for this config';
      throw refusal(message, { at: floor, code: unsupported, rule: 'Only a port of a guest has a floor.' });
    }
    return readRate(first);
  });
  return { ...(inbound !== undefined && { in: inbound }), ...(outbound !== undefined && { out: outbound }) };
}

/** The rate in one direction; undefined for one that limits nothing. @throws XmlNetworkError */
export function readRate(element: XmlElement): Bandwidth | undefined {
  const number = (name: string, max: bigint, bytes: number): number | undefined => {
    const found = attribute(element, name);
    if (found === undefined) return undefined;
    if (!/^\d{1,20}$/.test(found.value)) {
      const rule = `${name} is a whole number of ${bytes === RATE_BYTES ? 'kilobytes a second' : 'kibibytes'}.`;
      const message = `could not convert bandwidth ${name} value '${found.value}'`;
      throw refusal(message, { at: found, code: unsupported, rule });
    }
    const value = BigInt(found.value);
    if (value > max) {
      const rule = `${name} is at most ${max}.`;
      throw refusal(`value '${found.value}' is too big for '${name}' parameter, maximum is '${max}'`, {
        at: found,
        code: overflow,
        rule,
      });
    }
    const total = value * BigInt(bytes);
    if (total <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(total);
    const rule = `${name} is at most ${BigInt(Number.MAX_SAFE_INTEGER) / BigInt(bytes)} here: nothing is as fast.`;
    throw refusal(`the bandwidth ${name} '${found.value}' is not supported`, { at: found, code: unsupported, rule });
  };
  if (attribute(element, 'average') === undefined) {
    const rule = 'A limit has an average.';
    throw refusal('Missing mandatory average or floor attributes', { at: element, code: xmlDetail, rule });
  }
  const average = number('average', RATE_MAX, RATE_BYTES);
  const peak = number('peak', RATE_MAX, RATE_BYTES);
  const burst = number('burst', BURST_MAX, BURST_BYTES);
  if (average === undefined || average === 0) return undefined;
  return {
    averageBytesPerSec: average,
    ...(peak !== undefined && peak > 0 && { peakBytesPerSec: peak }),
    ...(burst !== undefined && burst > 0 && { burstBytes: burst }),
  };
}

/** One `<vlan>`. @throws XmlNetworkError */
export function readVlan(element: XmlElement): Pick<NetworkGuests, 'vlan' | 'trunk'> {
  const tags = childrenOf(element, 'tag').map((tag) => {
    required(tag, 'id');
    const id = whole(tag, 'id') ?? 0;
    if (id > 4_095) {
      const rule = 'A VLAN tag is a number from 0 to 4095.';
      throw refusal(`vlan tag id ${id} too large (maximum 4095)`, { at: placeIn(tag, 'id'), rule });
    }
    return { id, mode: choice(tag, 'nativeMode', ['tagged', 'untagged']), at: tag };
  });
  const [first] = tags;
  if (first === undefined) {
    const message = "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement";
    throw refusal(message, { at: element, rule: 'A VLAN has a tag.' });
  }
  const natives = tags.filter(({ mode }) => mode !== undefined);
  const [native, twice] = natives;
  if (twice !== undefined) {
    throw refusal('duplicate native vlan setting', { at: twice.at, rule: 'One tag is that of untagged frames.' });
  }
  const trunk = attribute(element, 'trunk');
  const words = { at: trunk ?? element, rule: 'A port with several tags, or with a native one, is a trunk.' };
  if (trunk !== undefined && trunk.value !== 'yes') {
    if (tags.length > 1) {
      throw refusal(
        `invalid "trunk='${trunk.value}'" in <vlan> - trunk='yes' is required for more than one vlan tag`,
        words,
      );
    }
    if (native !== undefined) {
      throw refusal(`invalid configuration in <vlan> - "trunk='no'" is not allowed with a native vlan id`, words);
    }
    if (trunk.value !== 'no') throw refusal(`invalid "trunk='${trunk.value}'" in <vlan> - must be yes or no`, words);
  }
  const isPlain = tags.length === 1 && native === undefined && trunk?.value !== 'yes';
  if (isPlain && first.id >= 1 && first.id <= 4_094) return { vlan: first.id };
  const whole_: VlanTrunk = {
    tags: tags.map(({ id }) => id),
    ...(native?.mode !== undefined && { native: { tag: native.id, mode: native.mode } }),
  };
  return { trunk: whole_ };
}

/** Whether a trunk is printed as one: a single tag that the model has no other place for is none. */
export function isPrintedAsTrunk({ tags: [first = 0, ...more], native }: VlanTrunk): boolean {
  return more.length > 0 || native !== undefined || (first >= 1 && first <= 4_094);
}

/** The parameters of each type of virtual port, with what each must be. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  '802.1Qbg': ['managerid', 'typeid', 'typeidversion', 'instanceid'],
  '802.1Qbh': ['profileid'],
  openvswitch: ['interfaceid', 'profileid'],
  midonet: ['interfaceid'],
};
/** In libvirt's order. */
const ALL = ['managerid', 'typeid', 'typeidversion', 'instanceid', 'interfaceid', 'profileid'];
const NUMBER_MAX: Readonly<Record<string, number>> = { managerid: 0xff, typeid: 0xffffff, typeidversion: 0xff };
const UUID = /^[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/;

/** One `<virtualport>`. @throws XmlNetworkError */
export function readVirtualPort(element: XmlElement, isTypeRequired = true): KeptVirtualPort {
  const type = word(element, 'type');
  const rule = `The type of a virtual port is one of ${Object.keys(PARAMETERS).join(', ')}.`;
  if (type === undefined && isTypeRequired) {
    throw refusal('missing required virtualport type', { at: element, rule });
  }
  if (type !== undefined && !Object.hasOwn(PARAMETERS, type)) {
    throw refusal(`Invalid value for attribute 'type' in element 'virtualport': '${type}'.`, {
      at: placeIn(element, 'type'),
      domain: LIBVIRT_DOMAIN.xml,
      rule,
    });
  }
  const parameters = childOf(element, 'parameters');
  const known = type === undefined ? ALL : (PARAMETERS[type] ?? []);
  const found: Record<string, string> = {};
  for (const name of parameters === undefined ? [] : ALL) {
    const value = parameters && word(parameters, name);
    if (parameters === undefined || value === undefined) continue;
    const at = placeIn(parameters, name);
    checkParameter(name, value, at);
    if (!known.includes(name)) {
      const message = `extra ${name} unsupported in <virtualport type='${type}'>`;
      throw refusal(message, { at, rule: `A virtual port of this type has ${known.join(', ')}.` });
    }
    found[name] = name in NUMBER_MAX ? String(Number(value)) : value;
  }
  return { type: type ?? '', parameters: found };
}

function checkParameter(name: string, value: string, at: ReturnType<typeof placeIn>): void {
  const max = NUMBER_MAX[name];
  if (max !== undefined) {
    const number = /^0x[0-9a-fA-F]+$/.test(value) ? Number(value) : typedNumber(value);
    const rule = `${name} is a number from 0 to ${max}.`;
    if (number === undefined) throw refusal(`cannot parse value of ${name} parameter`, { at, rule });
    if (number > max) throw refusal(`value of ${name} out of range`, { at, rule });
    return;
  }
  if (name === 'profileid') {
    if (value.length <= 39) return;
    throw refusal('profileid parameter too long', { at, rule: 'A profile has at most 39 characters.' });
  }
  if (UUID.test(value)) return;
  throw refusal(`cannot parse ${name} parameter as a uuid`, { at, rule: `${name} is a UUID.` });
}

/** One `<portgroup>`. @throws XmlNetworkError */
export function readPortGroup(element: XmlElement): { readonly group: PortGroup; readonly kept: KeptPortGroup } {
  const name = word(element, 'name');
  if (name === undefined) {
    const rule = 'A port group has a name, by which guests choose it.';
    throw refusal('Missing required name attribute in portgroup', { at: element, rule });
  }
  const isDefault = word(element, 'default') === 'yes';
  const trustGuestRxFilters = yesNo(element, 'trustGuestRxFilters');
  const [vlan, virtualPort, bandwidth] = ['vlan', 'virtualport', 'bandwidth'].map((one) => childOf(element, one));
  return {
    group: {
      name,
      isDefault,
      ...(vlan !== undefined && readVlan(vlan)),
      ...(bandwidth !== undefined && { bandwidth: readBandwidth(bandwidth) }),
    },
    kept: {
      ...(virtualPort !== undefined && { virtualPort: readVirtualPort(virtualPort) }),
      ...(trustGuestRxFilters !== undefined && { trustGuestRxFilters }),
    },
  };
}
