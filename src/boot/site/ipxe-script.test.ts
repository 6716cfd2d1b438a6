/** No value of a boot script becomes a command, and no word of the kernel's command line becomes two. */
import { expect, test } from 'vitest';
import { randomFrom } from '../../../test/kit/random.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import { parseMac } from '../../model/address/mac.ts';
import type { MachineId } from '../../model/machine.ts';
import { bootScript, commandLine, entryScript, refusalScript } from './ipxe-script.ts';

const host0 = '10.11.0.1' as Ipv4;
const machine = '10eff964' as MachineId;
const words = {
  machine,
  mac: parseMac('52:54:00:12:34:56'),
  host0: [host0],
  attempt: '0123456789abcdef',
  token: 'ab'.repeat(16),
  turn: 1,
  overlay: `http://${host0}/overlay/a/b`,
};
const script = { host0, machine, attempt: words.attempt, kernel: '/image/a/vmlinuz', initrd: '/image/a/initrd.img' };

test('the first script asks with the settings of iPXE', () => {
  expect(entryScript(host0)).toContain(`http://${host0}/boot/\${netX/mac:hexhyp}.ipxe?uuid=\${uuid}&`);
});

test.each([
  'a\nshell',
  'a\rb',
  'a || shell',
  'a && shell',
  'a ; shell',
  'a #',
  '\u0024{uuid}',
  'é',
  '\u001b[2J',
])('%j is in no script and on no command line', (text) => {
  expect(() => bootScript({ ...script, commandLine: text })).toThrow(/cannot be in a boot script/);
  expect(() => bootScript({ ...script, kernel: text, commandLine: 'quiet' })).toThrow(/cannot be in a boot script/);
});

test.each(['a\nb', 'a  b', ' a', 'a"b c"', "a'", 'a\\', 'é', ''])('%j is on no command line', (more) => {
  expect(() => commandLine({ ...words, more })).toThrow(/cannot be in the kernel's command line/);
});

test('words that an image adds are on the command line', () => {
  expect(commandLine({ ...words, more: 'quiet no_timer_check' })).toMatch(/ panic=30 quiet no_timer_check$/);
});

test("Alpine's initramfs is told where everything is in one generation of the mirror", () => {
  const mirror = {
    generation: 7,
    repositories: [{ path: 'edge/testing', tag: 'testing' }, { path: 'v3.21/main' }, { path: 'meshwork/agent' }],
    modloop: '/alpine/7/boot/modloop-lts',
  };
  const overlay = 'http://10.11.0.1/overlay/0123456789abcdef/ab.apkovl.tar.gz';
  expect(commandLine({ ...words, overlay, mirror })).toBe(
    [
      'mesh.machine=10eff964 host0=10.11.0.1 BOOTIF=01-52-54-00-12-34-56 mesh.boot=0123456789abcdef',
      `mesh.token=${words.token} mesh.turn=1 ip=dhcp apkovl=${overlay}`,
      'alpine_repo=http://10.11.0.1/alpine/7/v3.21/main modloop=http://10.11.0.1/alpine/7/boot/modloop-lts',
      'modules=loop,squashfs console=tty0 console=ttyS0,115200 panic=30',
    ].join(' '),
  );
});

test('any text for people is one command', () => {
  const seed = Number(process.env.MESH_SEED ?? Date.now() % 1_000_000);
  console.info(`MESH_SEED=${seed}`);
  const random = randomFrom(seed);
  for (let tries = 0; tries < 5_000; tries++) {
    const text = Array.from({ length: 20 }, () => String.fromCharCode(Math.floor(random() * 300))).join('');
    const [, ...commands] = refusalScript(host0, [text, text], 10).trimEnd().split('\n');
    expect(commands, `seed ${seed}`).toHaveLength(5);
    for (const command of commands.slice(0, 2)) expect(command, `seed ${seed}`).toMatch(/^(?=[ -~]*$)echo [^$#&|;]*$/);
    const named = bootScript({ ...script, name: text, commandLine: 'quiet' }).split('\n');
    expect(named[1], `seed ${seed}`).toMatch(/^echo Meshwork: machine 10eff964, [^$#&|;]*$/);
  }
});
