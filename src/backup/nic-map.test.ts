/** Which network card stands for which, and how names change in what is restored. */
import { expect, test } from 'vitest';
import { parseHost0Conf } from '../formats/host0/host0-conf.ts';
import { storeCopy } from '../store/store-backup.ts';
import { chooseNics, neededNics, renamedNics, renameInConf, renameInStore } from './nic-map.ts';

const nic = (name: string, end: string) => ({ name, mac: `52:54:00:00:00:${end}` });
const NICS = [nic('eth0', '01'), nic('eth1', '02'), nic('eth2', '03')];
const NOBODY: ReadonlyMap<string, string> = new Map();

const chosen = (needed: readonly string[], own: readonly ReturnType<typeof nic>[], named = NOBODY) =>
  chooseNics({ nics: NICS }, needed, own, named).map(
    ({ from, to = '?', reason = 'open' }) => `${from}=${to} ${reason}`,
  );

test('a card is found by its address first, then by its name, and the last one by being the last', () => {
  // The cards of the same machine, in another order.
  const moved = [nic('eth0', '02'), nic('eth1', '01'), nic('eth2', '03')];
  expect(chosen(['eth0', 'eth1', 'eth2'], moved)).toEqual([
    'eth0=eth1 same card',
    'eth1=eth0 same card',
    'eth2=eth2 same card',
  ]);
  const other = [nic('eth0', '11'), nic('enp7s0', '12')];
  expect(chosen(['eth0', 'eth1'], other)).toEqual(['eth0=eth0 same name', 'eth1=enp7s0 the only one left']);
  expect(chosen(['eth0', 'eth1', 'eth2'], other)).toEqual(['eth0=eth0 same name', 'eth1=? open', 'eth2=? open']);
  const many = [nic('enp1s0', '11'), nic('enp2s0', '12')];
  expect(chosen(['eth1'], many)).toEqual(['eth1=? open']);
  expect(chosen(['eth1'], many, new Map([['eth1', 'enp2s0']]))).toEqual(['eth1=enp2s0 named']);
  // A card that was not there at the time of the backup, either.
  expect(chosen(['eth9'], many)).toEqual(['eth9=eth9 same name']);
  // A name that stands for another card is not taken twice.
  expect(chosen(['eth0', 'eth1'], [nic('eth1', '01'), nic('eth5', '15'), nic('eth6', '16')])).toEqual([
    'eth0=eth1 same card',
    'eth1=? open',
  ]);
});

test('an open card, and a word for a card that is neither here nor there, are errors', () => {
  const own = [nic('enp1s0', '11'), nic('enp2s0', '12')];
  const choices = chooseNics({ nics: NICS }, ['eth1'], own, NOBODY);
  expect(() => renamedNics(choices, own)).toThrow(expect.objectContaining({ code: 'MESH_BACKUP_NIC', object: 'eth1' }));
  for (const words of [
    [['eth1', 'enp9s0']],
    [['eth7', 'enp1s0']],
    [
      ['eth0', 'enp1s0'],
      ['eth1', 'enp1s0'],
    ],
  ] as const) {
    expect(() => chooseNics({ nics: NICS }, ['eth1'], own, new Map(words))).toThrow(
      expect.objectContaining({ code: 'MESH_USAGE' }),
    );
  }
});

test('names change in the lines of host0.conf that name cards, all at once, and nowhere else', () => {
  const conf = [
    '# eth0 and eth1 are on one wire',
    'segment_ports="eth0" "eth1"',
    ' boot_mode = "eth0=server" "eth1=off"',
    'manual_subnets="eth1=10.20.0.0/24"',
    'join_groups="eth0 eth1"',
    'management=eth0',
    'default_networks="eth1"',
    '',
  ].join('\n');
  const renamed = new Map([
    ['eth0', 'eth1'],
    ['eth1', 'server'],
  ]);
  const after = renameInConf(conf, renamed);
  expect(after.split('\n')).toEqual([
    '# eth0 and eth1 are on one wire',
    'segment_ports="eth1" "server"',
    ' boot_mode = "eth1=server" "server=off"',
    'manual_subnets="server=10.20.0.0/24"',
    'join_groups="eth1 server"',
    'management=eth0',
    'default_networks="eth1"',
    '',
  ]);
});

test('the subnets of segments keep their cards under the new names, and count as cards that are needed', () => {
  const store = storeCopy({
    takenAt: '2026-11-30T12:00:00Z',
    epoch: 'e',
    revision: 1,
    entries: [
      { key: '/v1/pools/subnets/10.11.0.0/24', value: '{"subnet":"10.11.0.0/24","origin":"dynamic","ports":["eth2"]}' },
      { key: '/v1/pools/subnets', value: '{"next":0,"epoch":"eth2"}' },
      { key: '/v1/notes/x', value: '{"ports":["eth2"]}' },
      { key: '/v1/pools/subnets/spoilt', value: 'eth2' },
    ],
  });
  const { settings } = parseHost0Conf('x', Buffer.from('boot_mode="eth1=off"\n'));
  if (settings === undefined) throw new TypeError('the settings are right');
  expect(neededNics(settings, store)).toEqual(['eth1', 'eth2']);
  const values = renameInStore(store, new Map([['eth2', 'enp7s0']])).entries.map(({ value }) => value);
  expect(values).toEqual([
    '{"subnet":"10.11.0.0/24","origin":"dynamic","ports":["enp7s0"]}',
    '{"next":0,"epoch":"eth2"}',
    '{"ports":["eth2"]}',
    'eth2',
  ]);
});
