/** Chains are read from nft's print, and judged by what they do with packets that no rule names. */
import { expect, test } from 'vitest';
import { chainText, parseChains, refusesByDefault, rulesAround } from './chain.ts';

/** As nft 1.0.6 lists what Docker and firewalld make, shortened. */
const RULESET = `table ip filter {
	chain DOCKER-USER {
		counter packets 0 bytes 0 return
	}

	chain FORWARD {
		type filter hook forward priority filter; policy drop;
		counter packets 12 bytes 345 jump DOCKER-USER
		oifname "docker0" xt match "conntrack" counter packets 0 bytes 0 accept
	}
}
table inet firewalld {
	set allowed {
		type ipv4_addr
		elements = { 10.0.0.1 }
	}

	ct helper helper-tftp-udp {
		type "tftp" protocol udp
		l3proto inet
	}

	chain filter_INPUT {
		type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		reject with icmpx admin-prohibited
	}
}
table netdev early {
	chain in {
		type filter hook ingress device "eth0" priority 0; policy accept;
	}
}
`;

const chains = parseChains(RULESET);

test('chains come with their hook, policy and rules', () => {
  expect(chains.map((chain) => `${chainText(chain)} ${chain.hook} ${chain.policy} ${chain.rules.length}`)).toEqual([
    'ip filter DOCKER-USER undefined undefined 1',
    'ip filter FORWARD forward drop 2',
    'inet firewalld filter_INPUT input accept 2',
    'netdev early in ingress accept 0',
  ]);
});

test('a chain refuses by its policy, or by a last rule that matches every packet', () => {
  expect(chains.map(refusesByDefault)).toEqual([false, true, true, false]);
});

test('the rules of the whole table count, since chains jump to each other', () => {
  const forward = chains[1];
  expect(forward && rulesAround(forward, chains)).toHaveLength(3);
});
