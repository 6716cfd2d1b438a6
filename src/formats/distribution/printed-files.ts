/** Files of ifcfg (initscripts) and NetworkManager that say a bridge. They are shown, and never written. */
import { type BridgeWish, type FileText, plainLinkName } from './bridge-wish.ts';

const SCRIPTS = '/etc/sysconfig/network-scripts/ifcfg-';
const PROFILES = '/etc/NetworkManager/system-connections/';
/** These keys of an ifcfg file are about the card itself, and stay with it. */
const OF_CARD = /^\s*(?:DEVICE|NAME|TYPE|HWADDR|UUID|ONBOOT|NM_CONTROLLED|MACADDR|ETHTOOL_OPTS)=/i;

/** The pair of ifcfg files. @param ifcfg the text of the file of the card */
export function bridgeIfcfg(ifcfg: string, { cardAfter, bridge, mac }: BridgeWish): readonly FileText[] {
  const addresses = ifcfg.split('\n').filter((line) => /^\s*\w+=/.test(line) && !OF_CARD.test(line));
  const port = [`DEVICE=${plainLinkName(cardAfter)}`, 'ONBOOT=yes', `BRIDGE=${plainLinkName(bridge)}`, `HWADDR=${mac}`];
  const whole = [`DEVICE=${bridge}`, 'TYPE=Bridge', 'ONBOOT=yes', `MACADDR=${mac}`, 'DELAY=0', ...addresses];
  return [
    { path: `${SCRIPTS}${cardAfter}`, text: `${port.join('\n')}\n` },
    { path: `${SCRIPTS}${bridge}`, text: `${whole.join('\n')}\n` },
  ];
}

/** The profiles of NetworkManager. @param profile the text of the profile of the card; empty if there is none */
export function bridgeProfiles(profile: string, { card, cardAfter, bridge, mac }: BridgeWish): readonly FileText[] {
  const addresses: string[] = [];
  let section = '';
  for (const line of profile.split('\n')) {
    section = /^\s*\[([\w-]+)\]/.exec(line)?.[1] ?? section;
    if (section === 'ipv4' || section === 'ipv6') addresses.push(line);
  }
  const ip = addresses.some((line) => line.trim() !== '')
    ? addresses
    : ['[ipv4]', 'method=auto', '', '[ipv6]', 'method=auto'];
  const head = (id: string, type: string, name: string) => [
    '[connection]',
    `id=${id}`,
    `type=${type}`,
    setting('interface-name', name),
  ];
  const whole = [
    ...head(plainLinkName(bridge), 'bridge', bridge),
    '',
    '[bridge]',
    'stp=false',
    `mac-address=${mac}`,
    '',
    ...ip,
  ];
  const port = [
    ...head(`${bridge}-port`, 'ethernet', plainLinkName(cardAfter)),
    `master=${bridge}`,
    'slave-type=bridge',
    'autoconnect=true',
  ];
  const link = ['[Match]', `MACAddress=${mac}`, 'Type=ether', '', '[Link]', `Name=${cardAfter}`];
  return [
    ...(cardAfter === card
      ? []
      : [{ path: `/etc/systemd/network/05-meshwork-${cardAfter}.link`, text: `${link.join('\n')}\n` }]),
    { path: `${PROFILES}${bridge}.nmconnection`, text: `${whole.join('\n').trimEnd()}\n` },
    { path: `${PROFILES}${bridge}-port.nmconnection`, text: `${port.join('\n')}\n` },
  ];
}

function setting(key: string, value: string): string {
  return `${key}=${value}`;
}
