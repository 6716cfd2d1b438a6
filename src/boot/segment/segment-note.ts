/** What befalls a segment, for the journal and for `mesh status`: with what it means, and what to do about it. */

import type { Ipv4Cidr } from '../../model/address/ipv4.ts';
import type { SubnetView } from '../../protocol/documents/boot-views.ts';
import type { Finding } from '../../protocol/documents/finding.ts';
import type { EventInit } from '../../protocol/journal/event.ts';
import { findingEvent } from '../../protocol/journal/finding-event.ts';
import type { Foreign, ModeNote, ModeState, Rival } from './boot-mode.ts';
import type { LeaseRange, LeaseRoom } from './leases.ts';

const RULE_OF_ONE = 'Only one of them may give out addresses on a segment.';

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

/** What is not well on a segment. */
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

export function unfitFinding(device: string): Finding {
  return {
    code: 'MESH_BOOT_PORT_UNFIT',
    severity: 'warning',
    object: device,
    message: `no machine boots on ${JSON.stringify(device)}: dnsmasq's configuration cannot hold this name`,
    remedy: 'Give the port a name of letters, digits and . _ @ + - only: `ip link set dev PORT name NAME`.',
  };
}

export function unmetFinding(device: string, wish: Ipv4Cidr, subnet: SubnetView | undefined): Finding {
  return {
    code: 'MESH_BOOT_SUBNET_TAKEN',
    severity: 'warning',
    object: device,
    message: `${wish}, which host0.conf wishes for ${device}, overlaps another subnet; it has ${subnet?.subnet ?? 'none'}`,
    remedy: 'Choose another network in manual_subnets, or free this one and restart host0.',
  };
}

/** Less than a tenth is hardly any. */
const TENTH = 10;

/** Of a segment where host0 gives the addresses, once hardly any is left. An error only when a machine has gone without. */
export function leasesFinding(
  device: string,
  { subnet, origin }: SubnetView,
  { first, last }: LeaseRange,
  { addresses, free, refused }: LeaseRoom,
): Finding | undefined {
  if (free * TENTH >= addresses) return undefined;
  const which = `of the addresses that host0 gives out on ${device}, ${first} to ${last},`;
  const larger =
    origin === 'own'
      ? `Give ${device} an address in a larger subnet than ${subnet}: host0 gives out the upper half of it.`
      : `Give ${device} a larger subnet than ${subnet} in host0.conf (default_subnet_size, or manual_subnets), and restart host0.`;
  const none = refused === undefined ? 'none is left' : `none is left, and ${refused} asks for one in vain`;
  return {
    code: 'MESH_BOOT_LEASES_EXHAUSTED',
    severity: refused === undefined ? 'warning' : 'error',
    object: device,
    message: `${which} ${free === 0 ? none : 'hardly any is left'}`,
    remedy: `${larger} An address that nobody uses is free again after an hour.`,
  };
}

function intruder(device: string, { server, mac, subnet }: Foreign): Finding {
  return {
    code: 'MESH_BOOT_FOREIGN_DHCP',
    severity: 'error',
    object: device,
    message: `${server} (${mac}) answers DHCP on ${device}${subnet === undefined ? '' : ` for ${subnet}`}, where host0 gave out addresses; host0 gives none to anybody now`,
    remedy: `${RULE_OF_ONE} Take the other server off the segment and wait ten minutes, or keep it: host0 then only gives out boot files beside it, for which ${device} needs an address in its subnet.`,
  };
}

function silent(device: string, { server }: Foreign): Finding {
  return {
    code: 'MESH_BOOT_FOREIGN_DHCP',
    severity: 'warning',
    object: device,
    message: `the DHCP server ${server} on ${device} does not answer any more: machines that boot get no address`,
    remedy: `Bring it back. If it is gone for good, take its addresses off ${device}: host0 then takes its place after ten minutes of silence.`,
  };
}

function otherPxe(device: string, { server, mac }: Foreign): Finding {
  return {
    code: 'MESH_BOOT_FOREIGN_PXE',
    severity: 'warning',
    object: device,
    message: `${server} (${mac}) gives out boot files on ${device} too: machines boot from whichever they hear first`,
    remedy: 'Switch network boot off on the other server, or set the port to "off" in boot_mode of host0.conf.',
  };
}

function otherHost0(device: string, { installation, ipv4, senior }: Rival): Finding {
  const who = `another host0, ${ipv4 ?? 'without an address'} (installation ${installation}), is on the segment of ${device}`;
  return {
    code: 'MESH_BOOT_TWO_HOST0',
    severity: 'warning',
    object: device,
    message: senior
      ? `${who} and was here first: this one stays passive there`
      : `${who}: it should stay passive there`,
    remedy: `Plug one of the two elsewhere, or set boot_mode="${device}=off" in the host0.conf of one.`,
  };
}
