/** `mesh node bridge-nic` on the real kernel, with the real ifupdown: a namespace plays the machine. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { missingLine, shownCommands } from '../../cli/console-block.ts';
import { LONG } from '../../kit/long.ts';
import { inside, ip } from '../../kit/namespaces.ts';
import { pageOf } from '../typist.ts';
import { until } from '../until.ts';
import { HERE, INTERFACES, Ipv4Pings, MAC, NicMachine, RESOLVER } from './nic-machine.ts';

const WAYS = [
  { title: 'a name of its own', words: ['--name', 'br0'], bridge: 'br0', card: 'eth0' },
  { title: "the card's name", words: ['--keep-name'], bridge: 'eth0', card: 'peth0' },
] as const;

/** The picture of the machine with another device in the place of the card. */
function moved(picture: string, bridge: string): string {
  return picture.replaceAll('eth0', bridge).split('\n').toSorted().join('\n');
}

function sorted(picture: string): string {
  return picture.split('\n').toSorted().join('\n');
}

function portsOf(machine: NicMachine, bridge: string): string {
  return inside(machine.netns, 'ip', '-o', 'link', 'show', 'master', bridge)
    .replaceAll(/^\d+: ([^@:]+).*$/gm, '$1')
    .trim();
}

function ended(child: {
  exitCode: number | null;
  signalCode: string | null;
  once: (event: 'exit', done: () => void) => unknown;
}) {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise<void>((done) => child.once('exit', done));
}

describe.each(WAYS)('a bridge with $title', ({ words, bridge, card }) => {
  test('takes over all that the card has, is kept, survives a restart, and is undone, without a ping lost beyond a second', async () => {
    await using machine = new NicMachine();
    machine.start();
    const before = machine.picture();
    using ipv6 = await machine.pings();
    using ipv4 = await Ipv4Pings.start(machine.neighbour, HERE.ipv4);

    expect(await machine.mesh('node', 'bridge-nic', 'eth0', ...words)).toMatchObject({ code: 0 });
    expect(portsOf(machine, bridge)).toBe(card);
    expect(inside(machine.netns, 'ip', 'link', 'show', bridge)).toContain(MAC);
    expect(sorted(machine.picture())).toBe(moved(before, bridge));
    // Until it is confirmed, a restart brings the old state.
    expect(machine.read('etc/network/interfaces')).toBe(INTERFACES);

    expect(await machine.mesh('node', 'bridge-nic', 'eth0', '--confirm')).toMatchObject({ code: 0 });
    expect(machine.phase()).toBe('kept');
    const files = machine.read('etc/network/interfaces');
    expect(files).toContain(`iface ${bridge} inet static\n`);
    expect(files).toContain(`dev ${card} master ${bridge}\n`);
    expect(await ipv4.mostLost()).toBeLessThan(Ipv4Pings.perSecond);
    expect((await ipv6.losses()).filter(({ firstMs, lastMs }) => lastMs - firstMs > 1000)).toEqual([]);

    // ifupdown itself finds the bridge that it did not make, and makes it again.
    machine.ifupdown('ifdown', bridge);
    expect(inside(machine.netns, 'ip', '-o', 'link')).not.toContain(`${bridge}: <BROADCAST,MULTICAST,UP`);
    machine.ifupdown('ifup', bridge);
    await until('the bridge answers', 10_000, async () => sorted(machine.picture()) === moved(before, bridge));

    await machine.restart();
    expect(portsOf(machine, bridge)).toBe(card);
    await until('the addresses are there', 10_000, () => sorted(machine.picture()) === moved(before, bridge));
    inside(machine.neighbour, 'ping', '-c', '1', '-w', '10', HERE.ipv4);
    inside(machine.neighbour, 'ping', '-c', '1', '-w', '10', HERE.ipv6);

    using again = await Ipv4Pings.start(machine.neighbour, HERE.ipv4);
    expect(await machine.mesh('node', 'bridge-nic', 'eth0', '--undo')).toMatchObject({ code: 0 });
    expect(sorted(machine.picture())).toBe(sorted(before));
    expect(machine.read('etc/network/interfaces')).toBe(INTERFACES);
    expect(await again.mostLost()).toBeLessThan(Ipv4Pings.perSecond);
    await machine.restart();
    await until('the addresses are there', 10_000, () => sorted(machine.picture()) === sorted(before));
  });

  test('goes back by itself when nobody confirms', async () => {
    await using machine = new NicMachine();
    machine.start();
    const before = machine.picture();
    using ipv6 = await machine.pings();
    using ipv4 = await Ipv4Pings.start(machine.neighbour, HERE.ipv4);
    expect(await machine.mesh('node', 'bridge-nic', 'eth0', ...words, '--within', '5')).toMatchObject({ code: 0 });
    await until('the card is back', 60_000, () => machine.phase() === 'returned');
    expect(machine.picture()).toBe(before);
    expect(machine.read('etc/network/interfaces')).toBe(INTERFACES);
    expect(await ipv4.mostLost()).toBeLessThan(Ipv4Pings.perSecond);
    expect((await ipv6.losses()).filter(({ firstMs, lastMs }) => lastMs - firstMs > 1000)).toEqual([]);
    const late = await machine.mesh('node', 'bridge-nic', 'eth0', '--confirm');
    expect(late.code).toBe(6);
    expect(late.stderr).toContain('it was not confirmed in time');
  });

  const moments = LONG ? 10 : 1;
  test(`goes back when the command is killed (${moments} moments)`, async () => {
    await using machine = new NicMachine();
    machine.start();
    const before = machine.picture();
    const startMs = performance.now();
    expect(await machine.mesh('node', 'bridge-nic', 'eth0', ...words)).toMatchObject({ code: 0 });
    const wholeMs = performance.now() - startMs;
    expect(await machine.mesh('node', 'bridge-nic', 'eth0', '--undo')).toMatchObject({ code: 0 });
    for (let moment = 0; moment < moments; moment++) {
      const child = machine.begin('eth0', ...words, '--within', '5');
      // The second half of the time is that of the changes: before, the program is only read.
      const atMs = performance.now() + wholeMs * (0.5 + (0.5 * (moment + 0.5)) / moments);
      await until('the moment has come', 60_000, () => performance.now() >= atMs || child.exitCode !== null);
      child.kill('SIGKILL');
      await ended(child);
      // A command that was killed before it changed anything leaves no watcher.
      await until('the card is back', 60_000, () => machine.isIdle() && machine.picture() === before);
    }
    expect(await machine.mesh('node', 'bridge-nic', 'eth0', ...words)).toMatchObject({ code: 0 });
  }, 600_000);

  test('goes back when the watcher is killed, too', async () => {
    await using machine = new NicMachine();
    machine.start();
    const before = machine.picture();
    expect(await machine.mesh('node', 'bridge-nic', 'eth0', ...words, '--within', '5')).toMatchObject({ code: 0 });
    await until('the watcher is killed', 20_000, () => machine.killWatcher());
    await until('the card is back', 60_000, () => machine.phase() === 'returned' && machine.picture() === before);
  });

  test('is gone after a restart that comes before the confirmation', async () => {
    await using machine = new NicMachine();
    machine.start();
    const before = machine.picture();
    expect(await machine.mesh('node', 'bridge-nic', 'eth0', ...words)).toMatchObject({ code: 0 });
    await machine.restart();
    await until('the addresses are there', 10_000, () => sorted(machine.picture()) === sorted(before));
  });
});

test('the page shows what its commands print', async () => {
  await using machine = new NicMachine();
  machine.start();
  for (const { line, text, answer } of shownCommands(pageOf('docs/bridge-nic.md'))) {
    const { code, stdout } = await machine.mesh(...text.split(' ').slice(1));
    expect([code, missingLine(stdout, answer)], `docs/bridge-nic.md:${line}: ${text}\n${stdout}`).toEqual([
      0,
      undefined,
    ]);
  }
});

test.each([
  'udhcpc',
  'dhclient',
] as const)('a lease goes along: %s starts again on the bridge, and asks for the same address', async (client) => {
  const dhcp = 'auto eth0\niface eth0 inet dhcp\n';
  const resolver = readFileSync('/etc/resolv.conf', 'utf8');
  await using machine = new NicMachine({ 'etc/network/interfaces': dhcp }, client);
  using server = machine.dhcpServer();
  machine.start();
  await until('the card has its lease', 20_000, () => machine.picture().includes('192.0.2.1'));
  const before = machine.picture();
  const [address = ''] = /192\.0\.2\.1\d\d/.exec(before) ?? [];
  using pings = await Ipv4Pings.start(machine.neighbour, address);
  expect((await machine.mesh('node', 'bridge-nic', 'eth0', '--json')).stdout).toContain(`"${client}"`);
  await until('the client runs on br0 alone', 20_000, () => machine.dhcpClients().join() === 'br0');
  await until('the client has the lease', 20_000, () => server.acknowledged() === 2);
  expect(machine.picture()).toContain(address);
  expect(await machine.mesh('node', 'bridge-nic', 'eth0', '--undo')).toMatchObject({ code: 0 });
  await until('the client runs on eth0 alone', 20_000, () => machine.dhcpClients().join() === 'eth0');
  await until('the client has the lease', 20_000, () => server.acknowledged() === 3);
  expect(machine.picture()).toContain(address);
  expect(await pings.mostLost()).toBeLessThan(Ipv4Pings.perSecond);
  // The machine has the resolver of its lease, and the machine that runs the test has its own.
  expect(machine.read('etc/resolv.conf')).toContain(RESOLVER);
  machine.ifupdown('ifdown', 'eth0');
  expect(readFileSync('/etc/resolv.conf', 'utf8')).toBe(resolver);
});

describe('a card that cannot go under a bridge', () => {
  test.each([
    ['is not there', [], 'eth7', 'there is no network device eth7'],
    [
      'is a port of a bridge',
      ['link add br7x type bridge', 'link set eth0 master br7x'],
      'eth0',
      'is a port of the bridge br7x',
    ],
    ['carries a macvlan', ['link add link eth0 name mv0 type macvlan'], 'eth0', 'mv0 is on eth0'],
    [
      'is the underlay device of a VXLAN',
      ['link add vx type vxlan id 5 dstport 4789 dev eth0 group 239.1.1.1'],
      'eth0',
      'vx is bound to eth0',
    ],
    ['has a namesake of the bridge', ['link add br0 type bridge'], 'eth0', 'there is a network device br0 already'],
  ])('one that %s', async (_, lines, name, message) => {
    await using machine = new NicMachine();
    machine.start();
    if (lines.length > 0) ip(machine.netns, ...lines);
    const before = machine.picture();
    const { code, stderr } = await machine.mesh('node', 'bridge-nic', name);
    expect(code).toBeGreaterThan(0);
    expect(stderr).toContain(message);
    expect(machine.picture()).toBe(before);
    expect(existsSync(join(machine.root, 'var/lib/meshwork/bridged-nics'))).toBe(false);
  });
});
