/** host0's settings over random input. The seed is printed; `MESH_SEED=N` repeats a run. */
import { expect, test } from 'vitest';
import { randomFrom } from '../../../test/kit/random.ts';
import { ipv4Length, ipv4Subnet, parseIpv4Interface } from '../../model/address/ipv4.ts';
import { errorText } from '../error-text.ts';
import { HOST0_KEYS, parseHost0Conf } from './host0-conf.ts';

const FUZZ_MS = 1000;
const SEED = Number(process.env.MESH_SEED ?? Math.floor(Math.random() * 2 ** 32));
const KEYS = [...HOST0_KEYS, 'subnet_pol'];
const WORDS = [
  '10.11.0.0/16',
  '"192.168.0.0/23"',
  '10.11.0.1/16',
  '0.0.0.0/0',
  '1.2.3.4/33',
  '25',
  '"30"',
  '31',
  '-1',
  '1e1',
  'eth1',
  '"eth1"',
  '"eth1 eth2"',
  '" eth1  "',
  'eth1=server',
  '"eth2=off"',
  'eth1=10.20.0.0/24',
  'eth1=0.0.0.0/0',
  '"eth2=26"',
  '=26',
  'manage',
  'known',
  'auto',
  'dry',
  '"',
  '"a',
  'é',
  '\u202e',
  '\0',
  '../x',
  '#',
];

test('random bytes give valid settings or printable errors', () => {
  console.info(`MESH_SEED=${SEED}`);
  const random = randomFrom(SEED);
  const below = (bound: number) => Math.floor(random() * bound);
  const of = <T>(choices: readonly T[]) => choices[below(choices.length)] as T;
  const outcomes = { accepted: 0, refused: 0 };
  const deadline = performance.now() + FUZZ_MS;
  while (performance.now() < deadline) {
    const line = () =>
      `${of(KEYS)}${of(['=', '=', '=', ' = ', ''])}${Array.from({ length: below(4) }, () => of(WORDS)).join(of([' ', ' ', '']))}`;
    const lines = Array.from({ length: below(4) }, line).join(of(['\n', '\n', '\r\n', '']));
    const bytes =
      below(10) === 0 ? Buffer.from(Array.from({ length: below(99) }, () => below(256))) : Buffer.from(lines);
    const { settings, errors } = parseHost0Conf('host0.conf', bytes);
    outcomes[settings === undefined ? 'refused' : 'accepted']++;
    expect(settings === undefined).toBe(errors.length > 0);
    for (const error of errors) {
      expect(error.code).toMatch(/^MESH_(?:CONF|HOST0_CONF)_/);
      for (const text of errorText(error, { color: false }).split('\n')) expect(text).toMatch(/^\P{C}{0,2500}$/u);
    }
    if (settings === undefined) continue;
    const wished = settings.manualSubnets.flatMap(({ subnet }) => (typeof subnet === 'number' ? [] : [subnet]));
    for (const subnet of [...settings.subnetPool, ...wished]) {
      const { address, length } = parseIpv4Interface(subnet);
      expect(ipv4Subnet(address, length)).toBe(subnet);
    }
    const sizes = settings.manualSubnets.map(({ subnet }) =>
      typeof subnet === 'number' ? subnet : ipv4Length(subnet),
    );
    for (const size of [settings.defaultSubnetSize, ...sizes]) expect(size >= 1 && size <= 30, `${size}`).toBe(true);
    for (const port of [...(settings.segmentNics ?? []), ...settings.joinGroups.flat()])
      expect(port).toMatch(/^[^\s/:]{1,15}$/);
  }
  console.info(`${outcomes.accepted} accepted, ${outcomes.refused} refused`);
  expect(Math.min(outcomes.accepted, outcomes.refused)).toBeGreaterThan(0);
});
