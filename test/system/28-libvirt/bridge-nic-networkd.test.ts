/** A card that systemd-networkd configures goes under a bridge and back; networkd itself reads the files that are written for it. */
import { expect, test } from 'vitest';
import { until } from '../until.ts';
import { HERE, Ipv4Pings, NicMachine } from './nic-machine.ts';

const DEADLINE_MS = 20_000;
const CARD = `[Match]
Name=eth0

[Network]
Address=${HERE.ipv4}/24
Address=192.0.2.11/24
Address=${HERE.ipv6}/64
Gateway=192.0.2.1
IPv6AcceptRA=no

[Route]
Destination=198.51.100.0/24
Gateway=192.0.2.1
Metric=7
`;

test('networkd takes the bridge up from its files, keeps it over a restart, and takes the card up again after --undo', async () => {
  await using machine = new NicMachine({ 'etc/systemd/network/10-card.network': CARD });
  await machine.networkd();
  const hasAll = (link: string) => () => {
    const picture = machine.picture();
    const lines = [
      `${link} inet ${HERE.ipv4}/24`,
      `${link} inet 192.0.2.11/24`,
      `${link} inet6 ${HERE.ipv6}/64`,
      `default via 192.0.2.1 dev ${link} `,
      `198.51.100.0/24 via 192.0.2.1 dev ${link} proto static metric 7`,
    ];
    return lines.every((line) => picture.includes(line));
  };
  await until('networkd has configured the card', DEADLINE_MS, hasAll('eth0'));
  // An address that was moved is one for which nobody asks, and a new one is asked for during a second.
  const plain = () => machine.picture().replaceAll(/ (nodad|tentative)\b/g, '');
  const before = plain();
  using pings = await Ipv4Pings.start(machine.neighbour, HERE.ipv4);
  const { stdout } = await machine.mesh('node', 'bridge-nic', 'eth0', '--json');
  expect(stdout).toContain('"networkd"');
  // On a machine of its own, networkd is told; here it starts anew, and must change nothing while the bridge is on trial.
  await machine.networkd();
  await until('the bridge has all', DEADLINE_MS, hasAll('br0'));
  expect(await machine.mesh('node', 'bridge-nic', 'eth0', '--confirm')).toMatchObject({ code: 0 });
  expect(machine.phase()).toBe('kept');
  expect(await pings.mostLost()).toBeLessThan(Ipv4Pings.perSecond);
  await machine.restart('networkd');
  await until('networkd has made the bridge', DEADLINE_MS, hasAll('br0'));
  using later = await Ipv4Pings.start(machine.neighbour, HERE.ipv4);
  expect(await machine.mesh('node', 'bridge-nic', 'eth0', '--undo')).toMatchObject({ code: 0 });
  await machine.networkd();
  await until('the card has all', DEADLINE_MS, hasAll('eth0'));
  expect(plain()).toBe(before);
  expect(await later.mostLost()).toBeLessThan(Ipv4Pings.perSecond);
}, 120_000);
