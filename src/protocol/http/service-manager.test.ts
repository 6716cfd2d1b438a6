/** Which service manager a machine has, and the commands that remedies name there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { managerOfProcess, restartCommand, serviceManager, startRemedy, stopCommand } from './service-manager.ts';

/** A machine with these files. */
function machine(...files: readonly string[]): string {
  const root = mkdtempSync(join(tmpdir(), 'mw-services-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const file of files) {
    mkdirSync(join(root, dirname(file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
  return root;
}

const UNIT = 'usr/lib/systemd/system/meshwork-agent.service';
const ENABLED = 'etc/systemd/system/multi-user.target.wants/meshwork-agent.service';
const SYSTEMD = 'run/systemd/system/any.target';
const OPENRC = ['run/openrc/softlevel', 'etc/init.d/meshwork-agent'];
const NODE = 'usr/lib/meshwork/boot/agent';

test.each([
  ['a checkout', [SYSTEMD], 'none', '`mesh system start`', '`mesh system stop`'],
  // The files of a package in a container, whose processes something else starts.
  ['no systemd', [UNIT], 'none', '`mesh system start`', '`mesh system stop`'],
  ['systemd', [SYSTEMD, UNIT], 'systemd', '`systemctl enable --now meshwork-agent`', '`systemctl stop meshwork-agent`'],
  [
    'an enabled unit',
    [SYSTEMD, UNIT, ENABLED],
    'systemd',
    '`systemctl start meshwork-agent`',
    '`systemctl stop meshwork-agent`',
  ],
  ['OpenRC', OPENRC, 'openrc', '`rc-service meshwork-agent start`', '`rc-service meshwork-agent stop`'],
  ['a booted node', [NODE], 'init', 'init starts it again within seconds', '`mesh system stop`'],
])('%s', (_, files, manager, start, stop) => {
  const system = machine(...files);
  expect(serviceManager('agent', system, system)).toBe(manager);
  expect(startRemedy('agent', system, system)).toContain(start);
  expect(stopCommand('agent', system, system)).toBe(stop);
  // A lab's host on the same machine has no services.
  expect(serviceManager('agent', join(system, 'labs/node1'), system)).toBe('none');
});

test('a process that a person started is restarted by a person, also where services are', () => {
  expect(managerOfProcess(process.pid, 'agent')).toBe('none');
  expect(restartCommand('agent', '/', process.pid)).toBe('`mesh system stop`, then `mesh system start`');
});
