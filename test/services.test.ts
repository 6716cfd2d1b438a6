/** The services of systemd and of OpenRC run the same commands with the same capabilities. */
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readUnit } from './system/60-package/unit-file.ts';

const PACKAGING = new URL('../packaging', import.meta.url).pathname;

function read(path: string): string {
  return readFileSync(`${PACKAGING}/${path}`, 'utf8');
}

describe.each(['meshwork-host0', 'meshwork-agent'])('%s', (service) => {
  const script = read(`openrc/${service}`);

  test('runs the same command with the same capabilities under OpenRC', () => {
    const { argv } = readUnit(read(`systemd/${service}.service`), { AGENT_OPTIONS: '$AGENT_OPTIONS' });
    expect(`setpriv ${/^command_args="(.*)"$/m.exec(script)?.[1]}`).toBe(argv.join(' '));
    expect(script).toContain('\ncommand=/usr/bin/setpriv\n');
  });

  test('leaves the processes that it started running when it ends', () => {
    expect(read(`systemd/${service}.service`)).toContain('\nKillMode=process\n');
  });
});

test('every script of a package has valid shell syntax', () => {
  for (const script of globSync(`${PACKAGING}/{debian,alpine,openrc}/*`)) {
    expect(spawnSync('sh', ['-n', script], { encoding: 'utf8' }).stderr, script).toBe('');
  }
});
