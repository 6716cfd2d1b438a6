/** The whole text of the configuration, as unbound takes it. That it answers is in outer-places.test.ts. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runToEnd } from '../../../test/kit/command.ts';
import type { Ipv4 } from '../../model/address/ipv4.ts';
import type { Ipv6, Ipv6Cidr } from '../../model/address/ipv6.ts';
import { type Resolution, unboundConf } from './unbound-conf.ts';

const RESOLUTION: Resolution = {
  address: 'fd64::6464' as Ipv6,
  guests: ['fd64::/64' as Ipv6Cidr],
  prefix: 'fd64:64::/96' as Ipv6Cidr,
  forwarders: ['10.0.0.53' as Ipv4],
};

test('a resolver behind another', () => {
  expect(unboundConf(RESOLUTION)).toMatchInlineSnapshot(`
    "# Made by Meshwork; changes are overwritten.
    server:
      interface: fd64::6464
      ip-freebind: yes
      access-control: fd64::/64 allow
      module-config: "dns64 iterator"
      dns64-prefix: fd64:64::/96
      msg-cache-size: 1m
      rrset-cache-size: 2m
      num-threads: 1
      do-daemonize: no
      use-syslog: no
      logfile: ""
      verbosity: 1
      username: "nobody"
      chroot: ""
      directory: "/"
      pidfile: ""
      do-not-query-localhost: no
    remote-control:
      control-enable: no
    forward-zone:
      name: "."
      forward-addr: 10.0.0.53
    "
  `);
});

test('unbound takes it, also without another resolver', () => {
  const directory = mkdtempSync(join(tmpdir(), 'mw-unbound-'));
  try {
    const file = join(directory, 'unbound.conf');
    for (const resolution of [RESOLUTION, { ...RESOLUTION, forwarders: [] }]) {
      writeFileSync(file, unboundConf(resolution));
      expect(runToEnd(['unbound-checkconf', file])).toMatchObject({ status: 0, stderr: '' });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});
