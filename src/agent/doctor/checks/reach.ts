/** Members that do not answer at all, and this machine's own links, which are looked at first. */
import { memberAddresses } from '../../../model/network/member.ts';
import { blockText } from '../../firewall/foreign-firewall.ts';
import { UNDERLAY_CODE } from '../../view/underlay-findings.ts';
import type { Check, CheckFinding, Evidence, PathEvidence } from '../evidence.ts';
import { ATTEMPTS } from '../path-probe.ts';
import { localBlocks } from './local-firewall.ts';
import { byNetwork } from './underlay.ts';

/** Repeats the findings of this machine's links to the underlay, before all others: they explain that nothing answers. */
export const ownUnderlay: Check = {
  name: 'own-underlay',
  find: ({ health }) =>
    health
      .filter(({ code }) => code === UNDERLAY_CODE)
      .map((finding) => ({
        ...finding,
        saw: finding.message,
        matters: 'This machine reaches no other member, and no other member reaches this machine.',
      })),
};

/**
 * Finds members that answer neither on the underlay nor in the mesh. While host0 answers, the member is listed since host0
 * hears it: the fault is between the two, and an error.
 */
export const silentMember: Check = {
  name: 'silent-member',
  find(evidence) {
    if (ownUnderlay.find(evidence).length > 0) return [];
    const silent = evidence.paths.filter(({ underlay, mesh }) => !underlay && !mesh);
    return byNetwork(silent).flatMap(({ network, paths }) => {
      const host0 = memberAddresses(network, 'host0').ipv6;
      const isReached = evidence.role === 'host0' || !paths.some(({ member }) => member.ipv6 === host0);
      // The status tells of a silent host0.
      const told = evidence.health.some(({ code }) => code === 'MESH_HOST0_UNREACHABLE');
      const others = paths.filter(({ member }) => member.ipv6 !== host0 || !told);
      const groups = Map.groupBy(others, ({ via }) => via);
      return Array.from(groups, ([via, members]) => findingOf(evidence, { paths: members, via, isReached }));
    });
  },
};

interface Silence {
  /** Of one network. */
  readonly paths: readonly PathEvidence[];
  readonly via: string | undefined;
  /** host0 answers. */
  readonly isReached: boolean;
}

function findingOf(evidence: Evidence, { paths, via, isReached }: Silence): CheckFinding {
  const network = paths[0]?.network.name ?? '';
  const names = paths.map(({ member }) => `${member.name} (${member.ipv4})`).join(', ');
  const host0 =
    evidence.role === 'host0'
      ? 'this host0 has heard from them in the last ten seconds'
      : 'host0 answers, and lists them';
  const context = isReached ? host0 : 'host0 is silent, too';
  return {
    code: 'MESH_UNDERLAY_UNFIT',
    severity: isReached ? 'error' : 'warning',
    object: network,
    saw: `no answer from ${names} to ${ATTEMPTS} pings each, neither on the underlay nor in ${network}; ${context}`,
    matters: 'Nothing that this machine sends to them arrives, or no answer comes back.',
    remedy: remedyFor(evidence, { paths, via, isReached }),
  };
}

function remedyFor(evidence: Evidence, { paths, via, isReached }: Silence): string {
  const [first] = paths;
  if (first === undefined) return '';
  const blocks = localBlocks(evidence, paths);
  const [block] = blocks;
  if (block?.certain) {
    return `On this machine, ${blockText(block)} drops their VXLAN packets: \`${block.command}\`, and where your firewall keeps its rules.`;
  }
  const gone = 'A machine that has just been switched off is on the list for ten seconds: then ask again.';
  if (!isReached) return `Look at the cable and the switch of this machine first; then at host0. ${gone}`;
  if (via !== undefined) {
    const { network, member } = first;
    return `Packets to them go through ${via}. host0 forwards nothing but VXLAN, so they cannot be pinged on the underlay. Ask \`mesh doctor\` on host0 and on them, and \`mesh trace ${network.name} host0 ${member.name}\`. ${gone}`;
  }
  return `Look at what is between them and this machine: a switch or an access point that keeps its ports apart (private VLAN, port isolation, client isolation), or a firewall on them. Let them speak to each other; \`ping ${first.member.ipv4}\` shows when they do. ${gone}`;
}
