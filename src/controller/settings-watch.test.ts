/** A changed host0.conf is told, with the keys and the command; a fault in it before host0 starts again. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readHost0Conf } from '../formats/host0/host0-conf.ts';
import { systemClock } from '../model/clock.ts';
import { SettingsWatch } from './settings-watch.ts';

test('what is not in force is named until the file is as before', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-settings-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'host0.conf');
  const read = () => readHost0Conf([file]);
  writeFileSync(file, 'boot="off"\n');
  const { settings: inForce } = await read();
  if (inForce === undefined) throw new Error('no settings');
  const watch = new SettingsWatch({ inForce, read, restart: '`the command`', clock: systemClock });
  const told = async (text: string) => {
    writeFileSync(file, text);
    await watch.look();
    return watch.health();
  };
  // Another way of writing the same settings; `default_networks` is in force without a restart.
  expect(await told('# a remark\ndefault_networks="blue"\n')).toEqual([]);
  expect(await told('boot="auto"\nmetrics="manage"\nboot_mode="eth0=server"\n')).toEqual([
    {
      code: 'MESH_HOST0_CONF_PENDING',
      severity: 'warning',
      object: 'host0.conf',
      message: 'boot, boot_mode, metrics are not in force yet: host0.conf has been changed since host0 started',
      remedy: 'Restart host0: `the command`. Networks and members go on meanwhile.',
    },
  ]);
  expect(await told('boot="perhaps"\n')).toMatchObject([
    { code: 'MESH_HOST0_CONF_INVALID', severity: 'warning', message: expect.stringContaining('could not start again') },
  ]);
  expect(await told('boot="off"\n')).toEqual([]);
  // Without the file, the defaults count.
  rmSync(file);
  await watch.look();
  expect(watch.health()).toEqual([]);
});
