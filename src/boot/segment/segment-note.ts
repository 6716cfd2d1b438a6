/** What happens on a segment in words: events for the journal, and findings with remedies for `mesh status`. */

import type { Ipv4, Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { Mac } from '../../model/address/mac.ts';
import type { SubnetView } from '../../protocol/documents/boot-views.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { EventInit } from '../../protocol/journal/event.ts';
import { findingEvent } from '../../protocol/journal/finding-event.ts';
import type { ArpHolder } from '../frames/arp-packet.ts';
import type { Foreign, ModeNote, ModeState, Rival } from './boot-mode.ts';
import type { LeaseRange, LeaseRoom } from './leases.ts';

const RULE_OF_ONE = 'Only one DHCP server may give out addresses on a segment.';

/** Why a machine gets no answer while a segment's ports settle, and what to do about that. */
export const SETTLING = {
  why:
    'its port has just come up, and a switch may pass nothing for half a minute after that (spanning tree): host0 listens for ' +
    'another DHCP server first',
  remedy:
    'Wait, and boot the machine again if it has given up by then: `mesh system boot` shows how long it takes. If your ' +
    'switches forward at once, write port_settle_sec="0" in host0.conf, and restart host0.',
} as const;

/** The journal's event for a note. @param state after the change */
export function noteEvent(device: string, note: ModeNote, state: ModeState): EventInit {
  switch (note.note) {
    case 'mode':
      return {
        kind: 'boot mode changed',
        object: device,
        message: `${device}: ${note.from} → ${state.mode}: ${state.reason}`,
      };
    case 'server appeared':
      if (note.server.intruded) return findingEvent('foreign server', intruder(device, note.server));
      return {
        kind: 'foreign server',
        object: device,
        message: `${device}: ${note.server.server} (${note.server.mac}) gives out ${note.server.gives}`,
      };
    case 'server silent':
      return findingEvent('foreign server silent', silent(device, note.server));
    case 'host0 appeared':
      return findingEvent('other host0', otherHost0(device, note.rival));
    case 'host0 gone':
      return {
        kind: 'other host0 gone',
        object: device,
        message: `${device}: the host0 ${note.rival.installation} is silent`,
      };
  }
}

/** The findings about other servers and other host0s on a segment. */
export function modeFindings(device: string, { foreign, rivals, reason }: ModeState): Finding[] {
  const findings: Finding[] = [];
  for (const server of foreign.values()) {
    if (server.gives === 'boot files') findings.push(otherPxe(device, server));
    else if (server.intruded) findings.push(intruder(device, server));
    else if (reason === 'server silent') findings.push(silent(device, server));
  }
  for (const rival of rivals.values()) findings.push(otherHost0(device, rival));
  return findings;
}

/** The finding for a NIC whose name dnsmasq cannot take (`isServable`). */
export function unfitFinding(device: string): Finding {
  return {
    code: 'MESH_BOOT_PORT_UNFIT',
    severity: 'warning',
    object: device,
    message: `no machine can boot on ${JSON.stringify(device)}: dnsmasq's configuration cannot hold this name`,
    remedy: 'Give the NIC a name of letters, digits and . _ @ + - only: `ip link set dev NIC name NAME`.',
  };
}

/** The finding for a subnet of `manual_subnets` that was not free. @param subnet the one that the segment has instead */
export function unmetFinding(device: string, wish: Ipv4Cidr, subnet: SubnetView | undefined): Finding {
  return {
    code: 'MESH_BOOT_SUBNET_TAKEN',
    severity: 'warning',
    object: device,
    message: `${wish}, which host0.conf wishes for ${device}, overlaps another subnet; ${device} has ${subnet?.subnet ?? 'none'}`,
    remedy: 'Choose another network in manual_subnets, or free this one and restart host0.',
  };
}

/** A finding begins when fewer than one in so many addresses is free. */
const ADDRESSES_FOR_ONE_FREE = 10;

/**
 * The finding for a segment on which host0 has hardly any address left to give. A warning, and an error once a machine got none.
 * @returns undefined while there are enough
 */
export function leasesFinding(
  device: string,
  { subnet, origin }: SubnetView,
  { first, last }: LeaseRange,
  { addresses, free, refused }: LeaseRoom,
): Finding | undefined {
  if (free * ADDRESSES_FOR_ONE_FREE >= addresses) return undefined;
  const amount = free === 0 ? 'none' : 'hardly any';
  const failure = free > 0 || refused === undefined ? '' : `, and ${refused} did not get one`;
  const larger =
    origin === 'own'
      ? `Give ${device} an address in a larger subnet than ${subnet}: host0 gives out the upper half of it.`
      : `Give ${device} a larger subnet than ${subnet} in host0.conf (default_subnet_size, or manual_subnets), and restart host0.`;
  return {
    code: 'MESH_BOOT_LEASES_EXHAUSTED',
    severity: refused === undefined ? 'warning' : 'error',
    object: device,
    message: `${amount} of the addresses that host0 gives out on ${device} (${first} to ${last}) is left${failure}`,
    remedy: `${larger} An address is free again an hour after its machine has gone.`,
  };
}

/** At most this many used addresses are named. */
const USED_SHOWN = 4;

/** The finding for addresses that host0 would give out, but that other devices use. @returns undefined if there are none */
export function usedFinding(
  device: string,
  { first, last }: LeaseRange,
  used: ReadonlyMap<Ipv4, Mac | undefined>,
): Finding | undefined {
  if (used.size === 0) return undefined;
  const named = [...used].slice(0, USED_SHOWN).map(([ipv4, mac]) => `${ipv4} (${mac ?? 'as a machine says'})`);
  const more = used.size > USED_SHOWN ? ` and ${used.size - USED_SHOWN} more` : '';
  return {
    code: 'MESH_BOOT_ADDRESS_USED',
    severity: 'warning',
    object: device,
    message: `other devices on ${device} use addresses of those that host0 gives out there (${first} to ${last}): ${named.join(', ')}${more}`,
    remedy: `host0 leaves these addresses alone. Give the devices others outside ${first} to ${last}, or let them ask by DHCP.`,
  };
}

/** The journal's event for an address that another device uses. */
export function usedEvent(device: string, { ipv4, mac }: ArpHolder): EventInit {
  return {
    level: 'warning',
    kind: 'address in use',
    object: device,
    message: `${device}: ${mac} uses ${ipv4}, which host0 would have given to another machine`,
    code: 'MESH_BOOT_ADDRESS_USED',
  };
}

function intruder(device: string, { server, mac, subnet }: Foreign): Finding {
  return {
    code: 'MESH_BOOT_FOREIGN_DHCP',
    severity: 'error',
    object: device,
    message: `${server} (${mac}) answers DHCP on ${device}${subnet === undefined ? '' : ` for ${subnet}`}, where host0 gave out addresses; host0 gives out none now`,
    remedy: `${RULE_OF_ONE} Take the other server off the segment and wait ten minutes, or keep it: host0 then only gives out boot files beside it, for which ${device} needs an address in its subnet.`,
  };
}

function silent(device: string, { server, mac }: Foreign): Finding {
  return {
    code: 'MESH_BOOT_FOREIGN_DHCP',
    severity: 'warning',
    object: device,
    message: `the DHCP server ${server} (${mac}) on ${device} does not answer any more: machines that boot get no address`,
    remedy: `Start it again. If it is gone for good, remove the addresses of its subnet from ${device}: host0 then replaces it after ten minutes of silence.`,
  };
}

function otherPxe(device: string, { server, mac }: Foreign): Finding {
  return {
    code: 'MESH_BOOT_FOREIGN_PXE',
    severity: 'warning',
    object: device,
    message: `${server} (${mac}) gives out boot files on ${device} too: machines boot from the server that they hear first`,
    remedy: `Switch network boot off on the other server, or set boot_mode="${device}=off" in host0.conf.`,
  };
}

function otherHost0(device: string, { installation, mac, ipv4, senior }: Rival): Finding {
  const who = `another host0, ${ipv4 ?? 'without an address'} (${mac}, installation ${installation}), is on the segment of ${device}`;
  return {
    code: 'MESH_BOOT_TWO_HOST0',
    severity: 'warning',
    object: device,
    message: senior
      ? `${who} and was there first: this host0 stays passive there`
      : `${who} and came later: it should stay passive there`,
    remedy: `Plug one of the two elsewhere, or set boot_mode="${device}=off" in the host0.conf of one.`,
  };
}
