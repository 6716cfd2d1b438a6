/** The files of systemd-networkd (systemd.network(5)): a card that they configure becomes the port of a bridge. */
import { type BridgeWish, type FileText, plainLinkName } from './bridge-wish.ts';

/** Files sort before those of others, so that they are the first that match. */
const PREFIX = '05-meshwork-';

/**
 * The files that say the bridge; the last one takes the card from its own file, and with it all are in force.
 * @param network the text of the file that networkd uses for the card, with those of its drop-ins behind it
 */
export function bridgeNetworkd(network: string, wish: BridgeWish): readonly FileText[] {
  const { card, cardAfter, mtuBytes } = wish;
  const [bridge, mac] = [plainLinkName(wish.bridge), wish.mac];
  const mtu = mtuBytes === undefined ? [] : [`MTUBytes=${mtuBytes}`];
  const file = (name: string, lines: readonly string[]) => ({
    path: `${PREFIX}${name}`,
    text: `${lines.join('\n')}\n`,
  });
  const netdev = ['[NetDev]', `Name=${bridge}`, 'Kind=bridge', `MACAddress=${mac}`, ...mtu, '', '[Bridge]', 'STP=no'];
  const port = [
    '[Match]',
    `Name=${plainLinkName(cardAfter)}`,
    ...(mtuBytes === undefined ? [] : ['', '[Link]', ...mtu]),
    '',
    '[Network]',
    `Bridge=${bridge}`,
    'LinkLocalAddressing=no',
  ];
  // Of two devices with one MAC, only the card is no bridge.
  const rename = ['[Match]', `MACAddress=${mac}`, 'Type=ether', '', '[Link]', `Name=${plainLinkName(cardAfter)}`];
  return [
    file(`${bridge}.netdev`, netdev),
    file(`${bridge}.network`, onBridge(network, bridge, card)),
    ...(cardAfter === card ? [] : [file(`${cardAfter}.link`, rename)]),
    file(`${cardAfter}-port.network`, port),
  ];
}

/** The card's own settings, for the bridge: all sections but those that say which device they are for. */
function onBridge(network: string, bridge: string, card: string): string[] {
  const kept: string[] = [];
  let section = '';
  for (const line of network.split('\n')) {
    section = /^\s*\[(\w+)\]/.exec(line)?.[1] ?? section;
    if (section !== '' && section !== 'Match' && section !== 'Link') kept.push(line);
  }
  while (kept.at(-1)?.trim() === '') kept.pop();
  return [
    '# These are the settings that had the card.',
    '[Match]',
    `Name=${bridge}`,
    '',
    ...kept.map((line) => renamed(line, card, bridge)),
  ];
}

function renamed(line: string, card: string, bridge: string): string {
  return line
    .split(/([\s=]+)/)
    .map((word) => (word === card ? bridge : word))
    .join('');
}
