/** A real dnsmasq of a network in a namespace, until the test ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { inNetns } from '../../src/kernel/netns.ts';
import type { MachineWord } from '../../src/model/machine.ts';
import type { DnsmasqService } from '../../src/protocol/documents/service/assigned-dhcp.ts';
import { networkConf, networkHosts, networkReservations } from '../../src/services/dnsmasq/network-conf.ts';

const STARTED_WITHIN_MS = 10_000;

/** Starts it at `eth0`, as the node `machine`. Its leases are in the file `leases` of the directory. */
export async function startedDnsmasq(
  netns: string,
  machine: MachineWord,
  services: readonly DnsmasqService[],
  directory: string,
): Promise<ChildProcess> {
  const at = (name: string) => join(directory, name);
  const files = { reservationFile: at('reservations'), hostsFile: at('hosts'), leaseFile: at('leases') };
  writeFileSync(files.reservationFile, networkReservations(services));
  writeFileSync(files.hostsFile, networkHosts(services));
  writeFileSync(at('conf'), networkConf({ device: 'eth0', machine, services, ...files }));
  // The directory of a test is closed to the user that dnsmasq chooses by itself.
  const words = ['--keep-in-foreground', `--conf-file=${at('conf')}`, '--pid-file', '--log-facility=-', '--user=root'];
  const child = inNetns(netns, () => spawn('dnsmasq', words, { stdio: 'ignore' }));
  onTestFinished(() => endOf(child));
  await vi.waitFor(() => expect(existsSync(files.leaseFile)).toBe(true), STARTED_WITHIN_MS);
  return child;
}

/** Kills a process. Resolves when it has ended. */
export function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.on('exit', () => resolve());
    child.kill('SIGKILL');
  });
}
