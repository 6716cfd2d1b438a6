/** What the kernel part does with fewer rights than root has: in a user namespace, and without a capability. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';

const NETLINK = new URL('rtnl/monitor.ts', import.meta.url).href;
const RTNL = new URL('rtnl/rtnl.ts', import.meta.url).href;
const ECHO = new URL('sockets/echo.ts', import.meta.url).href;
const FRAMES = new URL('sockets/frame-socket.ts', import.meta.url).href;

/** Runs the lines of a module with `prefix`, and returns what it prints as JSON. */
function run(prefix: readonly string[], ...lines: readonly string[]): unknown {
  const [command = '', ...args] = [...prefix, process.execPath, '--input-type=module', '-e', lines.join('\n')];
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

test('in a user namespace, its root makes a mesh and hears of changes', () => {
  const result = run(
    ['unshare', '--user', '--map-root-user', '--net'],
    `import { KernelMonitor } from '${NETLINK}';`,
    `import { Rtnl } from '${RTNL}';`,
    `import { EchoSocket } from '${ECHO}';`,
    `import { FrameSocket } from '${FRAMES}';`,
    'const monitor = KernelMonitor.open();',
    'const names = [];',
    "monitor.events.subscribe((event) => event.type === 'link' && names.push(event.link.name));",
    'const rtnl = await Rtnl.open();',
    'const errors = await rtnl.apply([',
    "  { do: 'link-set', link: 'lo', change: { up: true } },",
    "  { do: 'link-add', kind: 'bridge', name: 'br456', up: true },",
    "  { do: 'link-add', kind: 'vxlan', name: 'vxlan456', master: 'br456', up: true,",
    "    vxlan: { vni: 456, udpPort: 4789, learning: true, df: 'inherit' } },",
    ']);',
    'monitor.drain();',
    'const echo = EchoSocket.open();',
    "const ms = await echo.echo('::1', { timeoutMs: 20_000 });",
    'FrameSocket.open({ link: 1, filter: [], onFrame: () => undefined, onError: () => undefined }).close();',
    'process.stdout.write(JSON.stringify({ errors, names: [...new Set(names)], answered: ms !== undefined }));',
    'process.exit(0);',
  );
  expect(result).toEqual({ errors: [null, null, null], names: ['lo', 'br456', 'vxlan456'], answered: true });
});

const TRY = 'const tell = (error) => process.stdout.write(JSON.stringify(error.toJSON()));';

test.each([
  ['CAP_NET_RAW', `import { EchoSocket } from '${ECHO}';`, 'try { EchoSocket.open(); } catch (error) { tell(error); }'],
  [
    'CAP_NET_RAW',
    `import { FrameSocket } from '${FRAMES}';`,
    'try { FrameSocket.open({ link: 1, filter: [], onFrame() {}, onError() {} }); } catch (error) { tell(error); }',
  ],
  [
    'CAP_NET_ADMIN',
    `import { Rtnl } from '${RTNL}';`,
    'const rtnl = await Rtnl.open();',
    "const [error] = await rtnl.apply([{ do: 'link-add', kind: 'bridge', name: 'mw-refused' }]);",
    'tell(error); process.exit(0);',
  ],
])('a missing %s is named', (capability, ...lines) => {
  const name = capability.slice('CAP_'.length).toLowerCase();
  const prefix = ['unshare', '--net', 'setpriv', `--bounding-set=-${name}`, `--inh-caps=-${name}`];
  expect(run(prefix, TRY, ...lines)).toMatchObject({
    code: 'MESH_KERNEL_REFUSED',
    remedy: expect.stringContaining(capability),
  });
});
