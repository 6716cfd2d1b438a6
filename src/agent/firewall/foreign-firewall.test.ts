/** What firewalls of other programs do with VXLAN packets, and that the proposed command lets them through. */
import { describe, expect, test } from 'vitest';
import { parseIpv4Cidr } from '../../model/address/ipv4.ts';
import { parseChains } from './chain.ts';
import { blockText, firewallBlocks, type Hook } from './foreign-firewall.ts';

const ROUTED = {
  from: 'eth1',
  to: 'eth2',
  source: parseIpv4Cidr('10.11.0.0/24'),
  destination: parseIpv4Cidr('10.11.1.0/24'),
};
const ARRIVING = { from: 'eth1', source: parseIpv4Cidr('10.11.0.2/32') };

/** As nft 1.0.6 lists what Docker 20 makes, shortened. */
const DOCKER = `table ip nat {
	chain POSTROUTING {
		type nat hook postrouting priority srcnat; policy accept;
		oifname != "docker0" ip saddr 172.17.0.0/16 counter packets 0 bytes 0 masquerade
	}
}
table ip filter {
	chain DOCKER {
	}

	chain DOCKER-ISOLATION-STAGE-1 {
		iifname "docker0" oifname != "docker0" counter packets 0 bytes 0 jump DOCKER-ISOLATION-STAGE-2
		counter packets 5 bytes 500 return
	}

	chain DOCKER-ISOLATION-STAGE-2 {
		oifname "docker0" counter packets 0 bytes 0 drop
		counter packets 0 bytes 0 return
	}

	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter packets 5 bytes 500 jump DOCKER-USER
		counter packets 5 bytes 500 jump DOCKER-ISOLATION-STAGE-1
		oifname "docker0" ct state related,established counter packets 0 bytes 0 accept
		oifname "docker0" counter packets 0 bytes 0 jump DOCKER
		iifname "docker0" oifname != "docker0" counter packets 0 bytes 0 accept
	}

	chain DOCKER-USER {
		counter packets 5 bytes 500 return
	}
}
`;

function table(hook: string, rules: readonly string[], policy = 'accept', type = 'filter'): string {
  const lines = rules.map((rule) => `\t\t${rule}\n`).join('');
  return `table inet edge {\n\tchain base {\n\t\ttype ${type} hook ${hook} priority 0; policy ${policy};\n${lines}\t}\n\n\tchain more {\n\t\tdrop\n\t}\n}\n`;
}

function seen(ruleset: string, hook: Hook = 'forward', packet: object = ROUTED): string[] {
  return firewallBlocks(packet, hook, parseChains(ruleset)).map(
    (block) => `${blockText(block)}${block.certain ? '' : ' (perhaps)'}`,
  );
}

test("Docker's policy, with the command for its chain of the administrator", () => {
  const [block] = firewallBlocks(ROUTED, 'forward', parseChains(DOCKER));
  expect(block).toMatchObject({ rule: 'policy drop', does: 'drop', certain: true });
  expect(block?.command).toBe('nft insert rule ip filter DOCKER-USER udp dport 4789 accept');
  const mended = DOCKER.replace('chain DOCKER-USER {', 'chain DOCKER-USER {\n\t\tudp dport 4789 accept');
  expect(seen(mended)).toEqual([]);
  // Docker rewrites the sources of its containers only.
  expect(seen(DOCKER, 'postrouting')).toEqual([]);
});

test('an empty or unused chain of the administrator is no place for the command', () => {
  const unused = DOCKER.replace('counter packets 5 bytes 500 jump DOCKER-USER', 'counter packets 5 bytes 500');
  const [block] = firewallBlocks(ROUTED, 'forward', parseChains(unused));
  expect(block?.command).toBe('nft insert rule ip filter FORWARD udp dport 4789 accept');
});

describe('a chain at the hook', () => {
  const dropped: Readonly<Record<string, readonly string[]>> = {
    'by links': ['iifname "eth1" oifname "eth2" drop'],
    'by a wildcard': ['iifname "eth*" drop'],
    'by another link': ['iifname != "docker0" drop'],
    'by protocol': ['meta l4proto udp counter packets 1 bytes 2 drop'],
    'by a set of ports': ['udp dport { 53, 4000-5000 } reject with icmpx admin-prohibited'],
    'by subnet': ['ip saddr 10.11.0.0/16 ip daddr 10.11.1.0/24 log prefix "no: " drop'],
    'by the state of the flow': ['ct state established,related accept', 'ct state new drop'],
    'by a map': ['ct state vmap { established : accept, new : drop }'],
    'in another chain': ['iifname vmap { "eth0" : accept, "eth1" : jump more }'],
    'at the end, with a comment': ['tcp dport 22 accept', 'ip6 saddr fd00::/8 accept', 'drop comment "all else"'],
  };
  test.each(Object.entries(dropped))('drops %s', (_name, rules) => {
    expect(seen(table('forward', rules))).toEqual([expect.not.stringContaining('perhaps')]);
  });

  const passed: Readonly<Record<string, readonly string[]>> = {
    'other links': ['iifname "docker0" drop', 'oifname "eth1" drop'],
    'other ports': ['udp dport 53 drop', 'udp dport != 4789 drop', 'tcp dport 4789 drop'],
    'other subnets': ['ip saddr 10.12.0.0/16 drop'],
    'other states': ['ct state invalid drop'],
    'before it drops': ['udp dport 4789 accept', 'drop'],
    'rules that only count': ['counter packets 1 bytes 2', 'log prefix "drop " level info'],
  };
  test.each(Object.entries(passed))('lets through %s', (_name, rules) => {
    expect(seen(table('forward', rules))).toEqual([]);
  });

  test.each([
    ['ip saddr @blocked drop'],
    ['limit rate over 5/second drop'],
    ['meta mark 0x1 drop'],
    ['ip saddr 10.11.0.128/25 drop'],
    ['udp sport 1000 drop'],
  ])('of which nobody knows: %s', (rule) => {
    expect(seen(table('forward', [rule]))).toEqual([expect.stringContaining('(perhaps)')]);
  });

  test('drops by policy, unless an unknown rule may accept', () => {
    expect(seen(table('forward', [], 'drop'))).toEqual(['inet edge base: policy drop']);
    expect(seen(table('forward', ['ip saddr @trusted accept'], 'drop'))).toEqual([
      'inet edge base: policy drop (perhaps)',
    ]);
    expect(seen(table('input', ['ct state established accept'], 'drop'), 'input', ARRIVING)).toHaveLength(1);
    expect(seen(table('input', [], 'drop'), 'forward')).toEqual([]);
  });

  test('rewrites the sources of forwarded packets', () => {
    const all = table('postrouting', ['oifname "eth2" masquerade'], 'accept', 'nat');
    expect(seen(all, 'postrouting')).toEqual(['inet edge base: oifname "eth2" masquerade']);
    expect(seen(table('postrouting', ['oifname "eth0" masquerade'], 'accept', 'nat'), 'postrouting')).toEqual([]);
  });
});

test('chains that jump in a circle end', () => {
  const circle = table('forward', ['jump more'], 'drop').replace('\t\tdrop\n', '\t\tjump more\n');
  expect(seen(circle)).toHaveLength(1);
});
