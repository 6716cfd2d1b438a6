/** What would lock host0 out of a machine, and what would not be on the machine as the manifest says, is told before it is shipped. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { pathsBelow } from '../../protocol/documents/paths.ts';
import { compile } from './compilation.ts';

const MANAGE = 'name=manage\nprefix=fd42:2345:1234:9abc::/64\nvni=456\nkey=456\n';
const OTHER = 'name=manage\nprefix=fd42:2345:1234:9abd::/64\nvni=457\nkey=457\n';
const ROOT_LINE = 'root:x:0:0:root:/root:/bin/sh\n';
const FILES = {
  alice: 'alice:x:1000:1000::/home/alice:/bin/sh\n',
  both: `${ROOT_LINE}alice:x:1000:1000::/home/alice:/bin/sh\n`,
  toor: 'root:x:1:0:root:/root:/bin/sh\n',
  away: 'root:x:0:0:root:/srv/root:/bin/sh\n',
  bash: 'root:x:0:0:root:/root:/bin/bash\n',
  shells: '/bin/sh\n/bin/bash\n',
  fish: '/usr/bin/fish\n',
  ldap: 'passwd: ldap\n',
  shadow: 'alice:*:::::::\n',
  other: OTHER,
  manage: `# the same\n${MANAGE}`,
  key: 'ssh-ed25519 BBBB alice',
};

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mesh-access-'));
  put('host0/network/manage.conf', MANAGE);
  put('host0/machines/node1/UUID', '10eff964\n');
  for (const [name, text] of Object.entries(FILES)) put(`host0/machines/node1/${name}`, text);
});

afterEach(() => rmSync(root, { recursive: true }));

function put(path: string, text: string | Uint8Array): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

const compileAll = () => compile({ paths: pathsBelow(root), authorizedKeys: ['ssh-ed25519 AAAA host0'] });

/** Compiles with these lines as the manifest of node1; `FROM x` is a source in its folder. */
function withLines(...lines: readonly string[]) {
  const text = lines.map((line) => `${line.replace('FROM ', 'SRC=/host0/machines/node1/')}\n`).join('');
  put('host0/machines/node1/manifest', text);
  return compileAll();
}

test.each([
  ['an account file without root', /\/etc\/passwd has no account root/, ['O MODE=0:0:644 FROM alice TGT=/etc/passwd']],
  ['root with another number', /\/etc\/passwd has no account root/, ['O MODE=0:0:644 FROM toor TGT=/etc/passwd']],
  ['root with another home', /\/etc\/passwd has no account root/, ['O MODE=0:0:644 FROM away TGT=/etc/passwd']],
  [
    'a shell that is none',
    /no shell that is in \/etc\/shells \(\/bin\/bash\)/,
    ['O MODE=0:0:644 FROM bash TGT=/etc/passwd'],
  ],
  ['shells without that of root', /no shell .* \(\/bin\/sh\)/, ['O MODE=0:0:644 FROM fish TGT=/etc/shells']],
  ['passwords without root', /\/etc\/shadow has no line of root/, ['O MODE=0:0:600 FROM shadow TGT=/etc/shadow']],
  ['accounts from elsewhere', /nsswitch.conf does not say/, ['O MODE=0:0:644 FROM ldap TGT=/etc/nsswitch.conf']],
  ['a file of accounts that is a link', /\/etc\/passwd is not a file/, ['L SRC=/mnt/passwd TGT=/etc/passwd']],
  ['keys that are a link', /authorized_keys is not a file/, ['L SRC=/etc/keys TGT=/root/.ssh/authorized_keys']],
  ['a home that others may write', /other users may write \/root:/, ['D MODE=root:root:0777 TGT=/root']],
  ['keys in a folder of another user', /may write \/root\/.ssh:/, ['D MODE=1000:1000:0700 TGT=/root/.ssh']],
  ['a removed network', /not in the network manage/, ['R TGT=/var/pxen/networks/manage.conf']],
  ['another network', /not in the network manage/, ['O MODE=0:0:644 FROM other TGT=/var/pxen/networks/manage.conf']],
  [
    'a second copy of the network',
    /name manage is also/,
    ['O MODE=0:0:644 FROM manage TGT=/var/pxen/networks/copy.conf'],
  ],
  ['another machine id', /machine belongs to Meshwork/, ['O MODE=0:0:644 FROM key TGT=/etc/meshwork/machine']],
  ['another host key', /host_key belongs to/, ['O MODE=0:0:600 FROM key TGT=/etc/dropbear/dropbear_ed25519_host_key']],
  ['a boot script', /boot\/agent belongs to/, ['O MODE=0:0:755 FROM key TGT=/usr/lib/meshwork/boot/agent']],
  ['a program of the image', /without its own \/bin\/sh/, ['L SRC=/bin/bash TGT=/bin/sh']],
  ['a link in the place of a directory', /\/var\/log is a directory of the system/, ['L SRC=/mnt/log TGT=/var/log']],
  [
    'a file that the image has, to append to',
    /A would replace \/etc\/passwd/,
    ['A MODE=0:0:644 FROM both TGT=/etc/passwd'],
  ],
  ['something below /proc', /\/proc\/x would not be there/, ['O MODE=0:0:644 FROM key TGT=/proc/x']],
  ['something below /var/run', /would not be there: \/var\/run leads/, ['D MODE=0:0:755 TGT=/var/run/x']],
])('%s is refused', async (_what, message, lines) => {
  const { errors } = await withLines(...lines);
  expect(errors[0]?.message).toMatch(message);
  expect(errors[0]?.remedy).toBeDefined();
  if (!lines[0]?.startsWith('R') && !/copy\.conf/.test(lines[0] ?? '')) {
    expect(errors[0]?.place).toMatchObject({ file: join(root, 'host0/machines/node1/manifest'), line: 1 });
  }
});

test('complete files of accounts, host0’s own network and further keys are taken, without a warning', async () => {
  const { errors, warnings } = await withLines(
    'O MODE=0:0:644 FROM bash TGT=/etc/passwd',
    'A MODE=0:0:644 FROM alice TGT=/etc/passwd',
    'O MODE=0:0:644 FROM shells TGT=/etc/shells',
    'O MODE=0:0:644 FROM manage TGT=/var/pxen/networks/manage.conf',
    'A MODE=0:0:600 FROM key TGT=/root/.ssh/authorized_keys',
    'A MODE=0:0:644 FROM key TGT=/etc/ssh/authorized_keys.d/alice',
    'D MODE=0:0:700 TGT=/root/.ssh',
  );
  expect([...errors, ...warnings].map(String)).toEqual([]);
});

test('what a package may have, and what Alpine reads elsewhere, is a warning', async () => {
  const { errors, warnings } = await withLines(
    'A MODE=0:0:644 FROM key TGT=/etc/chrony/chrony.conf',
    'O MODE=0:0:600 FROM key TGT=/var/spool/cron/crontabs/alice',
    'O MODE=0:0:644 FROM key TGT=/usr/lib/meshwork/dist/agent.mjs',
  );
  expect(errors).toEqual([]);
  expect(warnings.map(({ message, place }) => `${place?.line} ${message}`)).toEqual([
    '1 A replaces /etc/chrony/chrony.conf, if the image or a package has it',
    '2 /var/spool/cron/crontabs/alice is not read on Alpine, where /var/spool/cron/crontabs is a link',
    '3 /usr/lib/meshwork/dist/agent.mjs is replaced: the machine runs another Meshwork than its image has',
  ]);
});

test.each([
  ['node1\r\n', 'has no host name: "node1\\r"', /^Put the line node1 into .*, with a line end of Unix\.$/],
  ['web_01\n', 'has no host name: "web_01"', /^Put the line web-01 into /],
  ['# no name\n\n', 'has no host name: ""', /^Put the line node1 into /],
  ['node1\nnode2\n', 'has no host name: 2 lines', /^Put the line node1 into /],
  ['\u00e9\n', 'has no host name: "é"', /^Put the line e into /],
  ['Host0\n', 'Host0 cannot be the host name of a machine', /^Put another name into /],
  ['localhost\n', 'localhost cannot be the host name of a machine', /^Put another name into /],
  ['NODE2\n', 'node2 is the host name of two machines: node1 and node2', /^Rename the folder\.$/],
])('the host name in a file is checked: %j', async (text, message, remedy) => {
  put('host0/machines/node2/UUID', '2b1c0d3e');
  put('host0/machines/node2/manifest', '');
  put('host0/machines/node1/hostname', text);
  const { errors } = await withLines('O MODE=0:0:644 FROM hostname TGT=/etc/hostname');
  expect(errors).toMatchObject([{ code: 'MESH_NODE_NAME', message: expect.stringContaining(message) }]);
  expect(errors[0]?.remedy).toMatch(remedy);
});

test('a host name with blanks and comments around it is one; a folder cannot be called host0', async () => {
  put('host0/machines/node1/hostname', '# ours\n node-1.example \n');
  expect((await withLines('O MODE=0:0:644 FROM hostname TGT=/etc/hostname')).errors).toEqual([]);
  put('host0/machines/host0/UUID', '2b1c0d3e');
  put('host0/machines/host0/manifest', '');
  expect((await compileAll()).errors).toMatchObject([
    { code: 'MESH_NODE_NAME', object: join(root, 'host0/machines/host0') },
  ]);
});

test('directories on the way keep what the image has; those that every system has closed or open to all stay so', async () => {
  const { machines } = await withLines(
    'O MODE=0:0:644 FROM key TGT=/tmp/job/in',
    'O MODE=0:0:644 FROM key TGT=/var/tmp/in',
    'O MODE=1000:1000:600 FROM key TGT=/home/alice/.ssh/key',
    'D MODE=root:root:0750 TGT=/srv/data',
    'O MODE=0:0:644 FROM key TGT=/srv/data/in',
  );
  const directories = machines[0]?.overlay?.entries.flatMap((entry) =>
    entry.type === 'directory' ? [`${entry.path} ${entry.mode.permissions.toString(8)}`] : [],
  );
  expect(directories).toEqual(['root 700', 'root/.ssh 700', 'srv/data 750', 'tmp 1777', 'var/tmp 1777']);
});

test('lines of two files do not run together; a removed file leaves no directory in the way', async () => {
  put('host0/machines/node1/second', 'ssh-ed25519 CCCC bob');
  put('host0/machines/node1/world', 'vim');
  const { machines, errors } = await withLines(
    'A MODE=0:0:600 FROM key TGT=/root/.ssh/authorized_keys',
    'A MODE=0:0:600 FROM second TGT=/root/.ssh/authorized_keys',
    'A MODE=0:0:644 FROM world TGT=/etc/apk/world',
    'A MODE=0:0:644 FROM world TGT=/etc/apk/world',
    'O MODE=0:0:644 FROM key TGT=/etc/own/key',
    'R TGT=/etc/own/key',
    'O MODE=0:0:644 FROM key TGT=/etc/own',
  );
  expect(errors).toEqual([]);
  const text = (path: string) => {
    const entry = machines[0]?.overlay?.entries.find((other) => other.path === path);
    return entry?.type === 'file' ? Buffer.from(entry.content).toString() : undefined;
  };
  expect(text('root/.ssh/authorized_keys')).toBe(
    'ssh-ed25519 BBBB alice\nssh-ed25519 CCCC bob\nssh-ed25519 AAAA host0\n',
  );
  expect(text('etc/apk/world')).toBe('vim\n');
  expect(text('etc/own')).toBe('ssh-ed25519 BBBB alice');
});

test('comments in a list of packages install nothing, and a word that apk cannot parse is a fault of its own line', async () => {
  put('host0/machines/node1/packages', '# no openssh here\nchrony # >= 4 is wanted\nhtop@edge\n');
  const world = 'A MODE=0:0:644 FROM packages TGT=/etc/apk/world';
  const { machines, errors } = await withLines(world);
  expect(errors).toEqual([]);
  const entry = machines[0]?.overlay?.entries.find(({ path }) => path === 'etc/apk/world');
  expect(entry?.type === 'file' && Buffer.from(entry.content).toString()).toBe('chrony\nhtop@edge\n');
  put('host0/machines/node1/extra', 'vim\n  nano >= 4\n');
  const { errors: faults } = await withLines(world, 'A MODE=0:0:644 FROM extra TGT=/etc/apk/world');
  expect(
    faults.map(({ code, message, place }) => `${code} ${place?.file} ${place?.line}:${place?.column} ${message}`),
  ).toEqual(['MESH_MACHINE_FOLDER /host0/machines/node1/extra 2:8 ">=" is not a package']);
});

test('links to folders are followed, and one that leads nowhere is an error', async () => {
  put('elsewhere/UUID', '2b1c0d3e');
  put('elsewhere/manifest', '');
  put('elsewhere/groups', 'base');
  put('shared/manifest', 'D MODE=0:0:755 TGT=/srv/base');
  mkdirSync(join(root, 'host0/groups'));
  symlinkSync(join(root, 'elsewhere'), join(root, 'host0/machines/node2'));
  symlinkSync(join(root, 'shared'), join(root, 'host0/groups/base'));
  const { machines, errors } = await withLines();
  expect(errors).toEqual([]);
  const node2 = machines.find(({ name }) => name === 'node2');
  expect(node2?.overlay?.entries.some(({ path }) => path === 'srv/base')).toBe(true);
  symlinkSync('/nowhere', join(root, 'host0/machines/node3'));
  expect((await compileAll()).errors).toMatchObject([
    { code: 'MESH_MACHINE_FOLDER', remedy: 'Look where this symbolic link leads, or remove it.' },
  ]);
});
